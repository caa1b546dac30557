"""Refer to objects behind addresses: `s3://bucket/bert`, `https://host/bert_config.json`."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from safeload._text.addresses import ADDRESS, without_secrets


class Address(str):
    """A resolved address. As a text it has no user info and no query; they are in `real`.

    Attributes:
        real: The address as it is asked for.
    """

    __slots__ = ("real",)
    real: str

    def __new__(cls, real: str) -> Address:  # noqa: PYI034  (Self is newer than Python 3.10)
        """Cut what is not shown; a slash at the end and capitals in the scheme say nothing."""
        scheme, mark, rest = real.partition("://")
        real = f"{scheme.lower()}{mark}{rest}" if mark else real
        shown = without_secrets(real).rstrip("/")
        address = super().__new__(cls, shown if "://" in shown else real)
        address.real = real
        return address

    def __reduce__(self) -> tuple[type[Address], tuple[str]]:
        """Keep the user info and the query in another process."""
        return Address, (self.real,)

    def below(self, name: str) -> Address:
        """Return the address of a name in this folder."""
        return Address(self.like(f"{self}/{name}"))

    def like(self, path: str) -> str:
        """Return another address as it is asked for: with the user info of this one, if it is on the same host."""
        if path == self:
            return self.real
        host, user = urlsplit(self).netloc, urlsplit(self.real).netloc
        begin = f"{scheme_of(self)}://"
        return f"{begin}{user}{path[len(begin) + len(host) :]}" if f"{path}/".startswith(f"{begin}{host}/") else path


def is_address(path: str) -> bool:
    """Return whether a resolved path is an address."""
    return ADDRESS.match(path) is not None


def joined(folder: str, name: str) -> str:
    """Return the path, or the address, of a name below a folder; the name may have slashes on every system."""
    parts = name.replace(os.sep, "/").split("/")
    return "/".join([folder, *parts]) if is_address(folder) else os.path.join(folder, *parts)


def scheme_of(address: str) -> str:
    """Return the scheme of an address, in small letters."""
    return address.partition("://")[0].partition("::")[0].lower()


_NO_PLACES = {
    **dict.fromkeys(("simplecache", "filecache", "blockcache", "cached"), "keeps copies on the disk"),
    **dict.fromkeys(("local", "dir", "generic", "reference", "data"), "is not of a place of its own"),
}
"""What fsspec knows besides places, and why it is not read."""


def why_no_place(address: str) -> str:
    """Return why an address of fsspec's is not read; "" if it is of a place."""
    return _NO_PLACES.get(scheme_of(address), "chains others" if "::" in address else "")


def fault_of(address: str) -> tuple[str, str]:
    """Return what is wrong with the host or the user info of an address, and a hint; empty texts for nothing.

    None of the address's own words are in it: they may be a password's.
    """
    outer = address.rpartition("::")[2]
    if scheme_of(outer) == "hf" and ":" in outer[len("hf://") :]:
        return "an hf:// address with a user, and the cache needs none", "write hf://OWNER/NAME[@REVISION]"
    if scheme_of(outer) not in ("http", "https"):
        return "", ""
    hint = "in a user name or password, write a special character as % and two digits, such as %2F for a slash"
    try:
        parts = urlsplit(outer)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port >= 0)
    except ValueError:
        has_host = False
    is_whole = has_host and not any(map(str.isspace, parts.netloc))
    return ("", "") if is_whole else ("an address without a valid host", hint)
