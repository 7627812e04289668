# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses with an end: each has a time limit from its first byte to its last, and a size limit, for whatever is built on http.client.

The timeouts of sockets hold for one read each, so a server that sends a byte a second keeps a client for ever.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

MEBIBYTE = 1 << 20
# The largest useful response is a range query of thousands of points for hundreds of series.
RESPONSE_BYTES = 64 * MEBIBYTE
# A file may be larger than any response that is read into memory.
FILE_BYTES = 16 << 30
# A file that travels slower than this on the whole does not arrive (bytes per second).
TRANSFER_RATE = 64 << 10


class ResponseTooLargeError(OSError):
    """A response larger than its limit; the text is a phrase."""


@dataclass(frozen=True)
class Limits:
    """`size`: bytes of one response with its headers. `rate`: bytes per second by which more time is given as they arrive; None: no more time."""

    size: int = RESPONSE_BYTES
    rate: float | None = None


_UNSET = Limits()
_limits: ContextVar[Limits] = ContextVar("perfscale_mlflow_response_limits", default=_UNSET)


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Apply limits to the responses that begin in this context; without it those of `Limits()` hold."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


class _BoundedReader(io.RawIOBase):
    """The bytes of one response. The time limit is the read timeout that the socket has when the response begins."""

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw, self._sock, self._limits = raw, sock, _limits.get()
        self._timeout_s = sock.gettimeout()
        self._began = time.monotonic()
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._timeout_s is not None:
            extra_s = self._bytes / self._limits.rate if self._limits.rate else 0.0
            left_s = self._began + self._timeout_s + extra_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(min(left_s, self._timeout_s))
        count: int | None = self._raw.readinto(buffer)
        self._bytes += count or 0
        if self._bytes > self._limits.size:
            raise ResponseTooLargeError(f"response larger than {self._limits.size / MEBIBYTE:g} MiB")
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class BoundedResponse(http.client.HTTPResponse):
    """A response within limits, to be used as `response_class` of a connection."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        # `fp` is a BufferedReader over the socket; no byte was read yet.
        self.fp: Any = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


def bound(pool_manager: Any) -> Any:
    """Return a pool manager of urllib3 (or botocore) whose responses are bounded from now on."""
    classes = {}
    for scheme, pool_class in pool_manager.pool_classes_by_scheme.items():
        connection = type("BoundedConnection", (pool_class.ConnectionCls,), {"response_class": BoundedResponse})
        classes[scheme] = type("BoundedPool", (pool_class,), {"ConnectionCls": connection})
    pool_manager.pool_classes_by_scheme = classes
    return pool_manager


class BoundedSocket:
    """A socket whose files are within the limits of a response that is read before the request was sent; everything else is the socket's own."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, *_arguments: Any, **_options: Any) -> Any:
        with limited(Limits(MEBIBYTE)):
            return _BoundedReader(self._sock.makefile("rb", 0), self._sock)


class _Timed:
    """A stream to send, read within `timeout_s` seconds and what its size needs at TRANSFER_RATE; each attempt, which begins at 0, has that time."""

    def limit(self, timeout_s: float) -> Any:
        """Set the limit from the size of the stream, and return the stream at its beginning."""
        self.bytes = self.seek(0, io.SEEK_END)
        self._limit_s = timeout_s + self.bytes / TRANSFER_RATE
        self.seek(0)
        return self

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._began = time.monotonic()
        return int(super().seek(offset, whence))  # type: ignore[misc]

    def read(self, size: int | None = -1, /) -> Any:
        if time.monotonic() > self._began + self._limit_s:
            raise TimeoutError("timed out")
        return super().read(-1 if size is None else size)  # type: ignore[misc]


class TimedFile(_Timed, io.FileIO):
    """A file to send in limited time."""


class TimedBytes(_Timed, io.BytesIO):
    """Bytes to send in limited time, by clients that send them in blocks."""
