"""Read objects over HTTP: in ranges, of one version, and only where redirects may lead.

fsspec's own reader of HTTP takes each failure for a missing file, and a whole object for the range that was asked for.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from safeload._bytes.open_file import RemoteError
from safeload._bytes.remote.answers import (
    NOT_SATISFIABLE,
    OK,
    PARTIAL,
    length_of,
    parts_of,
    pin_of,
    range_of,
    require_good,
    require_same,
    total_of,
)
from safeload._bytes.remote.attempts import PassingError, attempted
from safeload._bytes.remote.store import N_START_BYTES, Found, Store
from safeload._text.addresses import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
"""How long a server may send nothing."""

MAX_REDIRECTS = 5
MAX_PAGE_BYTES = 1 << 22
"""The largest page that is read as the list of a folder."""

_CONNECTION = re.compile(r"^(<[^>]*>|\w+\([^)]*\)): ")
"""What urllib3 puts before what happened."""

N_TRIED = 8
"""How many names are asked for at once in a folder that is not listed."""

ALLOW_REDIRECTS = "SAFELOAD_ALLOW_REDIRECTS"
"""The environment variable that is "1" where redirects may lead anywhere."""

_REDIRECTED = f"if you trust it, pass the address that it leads to, or set {ALLOW_REDIRECTS}=1"


class HttpStore(Store):
    """The objects of HTTP servers."""

    def __init__(self, requests: Any) -> None:  # noqa: ANN401  (a module)
        """Use the package requests."""
        self._requests, self._local = requests, threading.local()

    def look(self, address: str) -> Found:
        """Return what is at an address: a folder, if the server lists what is below it.

        Raises:
            OSError: As `Store.look`.
        """
        try:
            found, is_page = attempted(lambda: self._look(address))
        except (FileNotFoundError, PermissionError):
            if folder := self._listed(address):
                return folder
            raise
        return (self._listed(address) if is_page else None) or found

    def entries_in(self, address: str) -> dict[str, bool]:
        """Return the names in a folder, those that the server's page links to; a folder's is known by the slash at its end.

        Raises:
            OSError: As `Store.look`, or the server has no page for the folder.
        """
        base = f"{address.rstrip('/')}/"

        def page() -> str:
            with self._answer(base, {}) as answer:
                if answer.status_code != OK or "html" not in answer.headers.get("Content-Type", ""):
                    raise RemoteError(errno.ENOTSUP, "the server does not list this folder")
                text: str = answer.raw.read(MAX_PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
                return text

        parser = _Links()
        parser.feed(attempted(page))
        below = {urljoin(base, link).partition("?")[0].partition("#")[0] for link in parser.links}
        names = sorted(unquote(each[len(base) :]) for each in below if each.startswith(base))
        return {name.rstrip("/"): name.endswith("/") for name in names if name and "/" not in name.rstrip("/")}

    def among(self, address: str, names: Sequence[str]) -> list[str]:
        """Return which of the names are in a folder, by asking for the head of each."""

        def is_there(name: str) -> bool:
            try:
                with attempted(lambda: self._answer(f"{address.rstrip('/')}/{name}", {}, method="HEAD")) as answer:
                    return "html" not in answer.headers.get("Content-Type", "")
            except OSError:
                return False

        with ThreadPoolExecutor(N_TRIED) as pool:
            return [name for name, is_one in zip(names, pool.map(is_there, names), strict=True) if is_one]

    def read(self, address: str, block: memoryview, offset: int, found: Found) -> None:
        """Fill the block with the bytes from an offset of the object that was found.

        Raises:
            ReplacedError: It is another object now.
            OSError: As `Store.look`.
        """
        n_read = 0

        def rest() -> None:
            nonlocal n_read
            wanted = {"Range": f"bytes={offset + n_read}-{offset + len(block) - 1}"}
            if found.pin.startswith('"'):
                wanted["If-Match"] = found.pin
            with self._answer(address, wanted) as answer:
                require_same(answer, offset + n_read, found)
                for data in parts_of(answer, len(block) - n_read):
                    block[n_read : n_read + len(data)] = data
                    n_read += len(data)

        if len(block):
            attempted(rest)

    def is_same(self, address: str, found: Found) -> bool:  # noqa: ARG002  (each answer says which object it is of)
        """Return True: each answer was compared with the object that was found."""
        return True

    def _look(self, address: str) -> tuple[Found, bool]:
        """Return what answers, and whether it is a page."""
        with self._answer(address, {"Range": f"bytes=0-{N_START_BYTES - 1}"}) as answer:
            is_page = "html" in answer.headers.get("Content-Type", "")
            if answer.status_code == NOT_SATISFIABLE and total_of(answer) == 0:
                return Found(is_dir=False, pin=pin_of(answer)), False
            if answer.status_code == PARTIAL:
                start, n_bytes = range_of(answer)
                if start:
                    raise RemoteError(errno.EBADMSG, "the server sent another range than the one that was asked for")
                data = b"".join(parts_of(answer, min(n_bytes, N_START_BYTES)))
                return Found(is_dir=False, n_bytes=n_bytes, pin=pin_of(answer), start=data), is_page
            whole = b"".join(parts_of(answer, length_of(answer)))  # the server has no ranges
            return Found(is_dir=False, n_bytes=len(whole), pin=pin_of(answer), start=whole), is_page

    def _listed(self, address: str) -> Found | None:
        """Return the folder at an address; None if the server does not list one."""
        try:
            entries = self.entries_in(address)
        except OSError:
            return None
        return Found(is_dir=True, entries=entries) if entries else None

    def _answer(self, address: str, headers: Mapping[str, str], *, method: str = "GET") -> Any:  # noqa: ANN401  (requests' Response)
        """Return the answer to a request, open, after its redirects.

        Raises:
            FileNotFoundError, PermissionError: As `look`.
            ReplacedError: The object has another ETag now.
            PassingError, RemoteError: The server or the network failed.
        """
        here, url = _origin(address), address
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(method, url, headers, is_own=_origin(url) == here)
            if not answer.is_redirect:
                require_good(answer)
                return answer
            answer.close()
            there = urljoin(url, answer.headers["Location"])
            _require_allowed(url, there)
            url = there
        raise RemoteError(errno.ELOOP, f"the server redirects more than {MAX_REDIRECTS} times")

    def _ask(self, method: str, url: str, headers: Mapping[str, str], *, is_own: bool) -> Any:  # noqa: ANN401  (as above)
        requests = self._requests
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.verify = os.environ.get("SSL_CERT_FILE") or True
        asked = {"Accept-Encoding": "identity", **headers}
        parts = urlsplit(url)
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username and is_own else None
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        timeouts = (CONNECT_SECONDS, READ_SECONDS)
        try:
            return self._local.session.request(
                method, plain, headers=asked, auth=auth, stream=True, allow_redirects=False, timeout=timeouts
            )
        except requests.exceptions.SSLError as exc:
            text = f"the server's certificate is not accepted: {_reason(exc)}"
            raise RemoteError(errno.EPROTO, text) from None
        except requests.exceptions.Timeout:
            raise PassingError(errno.ETIMEDOUT, "the server does not answer") from None
        except requests.exceptions.ConnectionError as exc:
            raise PassingError(errno.ECONNABORTED, f"no connection to the server: {_reason(exc)}") from None
        except (requests.exceptions.RequestException, ValueError) as exc:
            raise RemoteError(errno.EINVAL, f"{type(exc).__name__}: {_reason(exc)}") from None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port


def _require_allowed(here: str, there: str) -> None:
    """Require that a redirect keeps the scheme, and does not lead into this machine's own network, unless that is asked for.

    Raises:
        RemoteError: It does not.
    """
    if os.environ.get(ALLOW_REDIRECTS) == "1":
        return
    shown = without_secrets(there)
    if urlsplit(there).scheme != urlsplit(here).scheme:
        raise RemoteError(errno.EPERM, f"the server redirects to another scheme: {shown}", _REDIRECTED)
    if _origin(there) != _origin(here) and _is_own_network(urlsplit(there).hostname or ""):
        raise RemoteError(errno.EPERM, f"the server redirects into this machine's own network: {shown}", _REDIRECTED)


def _is_own_network(host: str) -> bool:
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # the request fails by itself
    return any(not ipaddress.ip_address(str(each).partition("%")[0]).is_global for each in found)


def _reason(exc: BaseException) -> str:
    """Return the text of the innermost exception, without addresses' secrets."""
    while (inner := getattr(exc, "reason", None) or (exc.args[0] if exc.args else None)) is not None:
        if not isinstance(inner, BaseException):
            break
        exc = inner
    return _CONNECTION.sub("", without_secrets(str(exc)).partition("\n")[0])[:200]


class _Links(HTMLParser):
    """Collects what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]
