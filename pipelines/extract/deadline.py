"""One deadline for a whole request. httpx counts its time-outs from byte to byte, so what drips would never end.

A network backend, because headers, 1xx answers and a proxy's handshake are read below httpx, which shows none of them.
"""

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

_thread = threading.local()  # a request is sent and read by one thread


def end_within(seconds: float) -> None:
    """Let whatever this thread reads or connects to from now on fail as a time-out once that much time has passed."""
    _thread.ends_at = time.monotonic() + seconds


def keep_deadlines(transports: Iterable[Any]) -> None:
    """Have all connections of httpx's transports keep the deadline of the thread; None among them is left out."""
    for transport in filter(None, transports):
        transport._pool._network_backend = _Backend()  # noqa: SLF001 - httpx offers no way to hand one in


def _left(timeout: float | None, error: type[Exception]) -> float:
    left: float = getattr(_thread, "ends_at", float("inf")) - time.monotonic()
    if left <= 0:
        raise error("the answer never ends")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.write = stream.write  # type: ignore[method-assign]
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))
