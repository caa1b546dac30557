"""Read what an HTTP server answers: which object it is of, which bytes, and whether they may be used."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any

from safeload._bytes.open_file import RemoteError, ReplacedError
from safeload._bytes.remote.attempts import PassingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safeload._bytes.remote.store import Found

OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
_GONE = (404, 410)
_FORBIDDEN = (401, 403, 407)
_REPLACED = 412
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


def parts_of(answer: Any, n_bytes: int) -> Iterator[bytes]:  # noqa: ANN401  (requests' Response)
    """Yield the body of an answer, which has a number of bytes.

    Raises:
        PassingError: The connection ended before.
        RemoteError: It is encoded, or longer.
    """
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        text = f"the server sends the object encoded ({encoding}), although it was asked not to"
        raise RemoteError(errno.EBADMSG, text)
    n_read = 0
    while n_read < n_bytes:
        try:
            data = answer.raw.read(min(1 << 20, n_bytes - n_read))
        except Exception as exc:  # noqa: BLE001  (urllib3's, and those of the modules below it)
            name = type(exc).__name__
            number = errno.ETIMEDOUT if "Timeout" in name else errno.ECONNABORTED
            what = "stopped sending" if number == errno.ETIMEDOUT else "closed the connection"
            raise PassingError(number, f"the server {what} after {n_read:,} of {n_bytes:,} bytes") from None
        if not data:
            text = f"the server closed the connection after {n_read:,} of {n_bytes:,} bytes"
            raise PassingError(errno.ECONNABORTED, text)
        n_read += len(data)
        yield data


def require_good(answer: Any) -> None:  # noqa: ANN401  (as above)
    status = answer.status_code
    if status in (OK, PARTIAL) or (status == NOT_SATISFIABLE and "Range" in answer.request.headers):
        return
    answer.close()
    text = f"HTTP {status} {answer.reason or ''}".rstrip()
    if status in _GONE:
        raise FileNotFoundError(errno.ENOENT, text)
    if status in _FORBIDDEN:
        raise PermissionError(errno.EACCES, text)
    if status == _REPLACED:
        raise ReplacedError
    if status in _PASSING:
        raise PassingError(errno.EAGAIN, f"the server answers {text}", _wait_of(answer))
    raise RemoteError(errno.EPROTO, f"the server answers {text}")


def _wait_of(answer: Any) -> float:  # noqa: ANN401  (as above)
    """Return the seconds that the server asks to wait; 0 if it names a date."""
    wait = answer.headers.get("Retry-After", "0")
    return float(wait) if wait.isdigit() else 0.0


def require_same(answer: Any, offset: int, found: Found) -> None:  # noqa: ANN401  (as above)
    """Require that an answer has the range from an offset of the object that was found.

    Raises:
        ReplacedError: It has another object.
        RemoteError: It has another range.
    """
    if answer.status_code == NOT_SATISFIABLE or pin_of(answer) != found.pin:
        raise ReplacedError
    start, n_bytes = range_of(answer)
    if n_bytes != found.n_bytes:
        raise ReplacedError
    if start != offset:
        raise RemoteError(errno.EBADMSG, "the server sent another range than the one that was asked for")


def range_of(answer: Any) -> tuple[int, int]:  # noqa: ANN401  (as above)
    """Return where the bytes of an answer begin, and the size of the whole object."""
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if answer.status_code != PARTIAL or match is None or match[1] is None:
        raise RemoteError(errno.EBADMSG, "the server does not say which bytes it sends")
    return int(match[1]), int(match[2])


def total_of(answer: Any) -> int | None:  # noqa: ANN401  (as above)
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(match[2]) if match else None


def length_of(answer: Any) -> int:  # noqa: ANN401  (as above)
    length = answer.headers.get("Content-Length", "")
    if not length.isdigit():
        raise RemoteError(errno.EBADMSG, "the server does not say how many bytes it sends")
    return int(length)


def pin_of(answer: Any) -> str:  # noqa: ANN401  (as above)
    headers = answer.headers
    return headers.get("ETag") or headers.get("Last-Modified") or ""
