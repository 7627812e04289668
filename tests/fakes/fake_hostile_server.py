# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that never come to an end: they send a byte now and then, or without a pause, in the headers or in the body."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# Beyond what a client may want to wait for, so that a client without limits fails the test by its time limit.
LIFE_S = 30.0
# Below any read timeout.
DRIP_S = 0.05

Send = Callable[[bytes], None]


def drip_headers(send: Send, pause: Callable[[float], bool]) -> None:
    """Send headers, a byte now and then."""
    send(b"HTTP/1.1 200 OK\r\nX: ")
    while not pause(DRIP_S):
        send(b"x")


def drip_body(send: Send, pause: Callable[[float], bool]) -> None:
    """Announce a body and send it a byte now and then."""
    send(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not pause(DRIP_S):
        send(b" ")


def drip_chunks(send: Send, pause: Callable[[float], bool]) -> None:
    """Send chunks of one byte, one now and then."""
    send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not pause(DRIP_S):
        send(b"1\r\n \r\n")


def endless_body(send: Send, pause: Callable[[float], bool]) -> None:
    """Send a body that has no length and no end."""
    send(HEAD + b"Connection: close\r\n\r\n")
    while not pause(0.0):
        send(b" " * 65536)


def endless_failure(send: Send, pause: Callable[[float], bool]) -> None:
    """Send the endless body of a status that is retried, which clients drain."""
    send(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")
    while not pause(0.0):
        send(b" " * 65536)


def drip_status(send: Send, pause: Callable[[float], bool]) -> None:
    """Send a status line that never ends, a byte now and then."""
    send(b"HTTP/1.1 4")
    while not pause(DRIP_S):
        send(b"0")


def reject_slowly(send: Send, pause: Callable[[float], bool]) -> None:
    """Reject a request before its body was sent, and never come to the end of the headers."""
    send(b"HTTP/1.1 403 Forbidden\r\nX: ")
    while not pause(DRIP_S):
        send(b"x")


def endless_status(send: Send, pause: Callable[[float], bool]) -> None:
    """Send a status line without an end and without a pause."""
    while not pause(0.0):
        send(b"HTTP/1.1 100 " * 4096)


def end_in_headers(send: Send, _pause: Callable[[float], bool]) -> None:
    """Ask for the body, and end the connection within the headers."""
    send(b"HTTP/1.1 100 Continue\r\nX: y\r\n")


def take_nothing(_send: Send, pause: Callable[[float], bool]) -> None:
    """Neither read nor send anything."""
    while not pause(0.1):
        pass


HOSTILE_TO_UPLOADS = (drip_status, reject_slowly, endless_status, end_in_headers, take_nothing)
DRIPPING = (drip_headers, drip_body, drip_chunks)
ENDLESS = (endless_body, endless_failure)


@contextmanager
def hostile_server(behave: Callable[[Send, Callable[[float], bool]], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback while the context lasts, and yield the address, `127.0.0.1:port`; every connection gets what `behave` sends."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        threads = [threading.Thread(target=_accept, args=(listener, behave, ended, tls), daemon=True)]
        threads[0].start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            threads[0].join()


def _accept(listener: socket.socket, behave: Callable[[Send, Callable[[float], bool]], None], ended: threading.Event, tls: ssl.SSLContext | None) -> None:
    while not ended.is_set():
        try:
            connection, _address = listener.accept()
        except TimeoutError:
            continue
        threading.Thread(target=_serve, args=(connection, behave, ended, tls), daemon=True).start()


def _serve(connection: socket.socket, behave: Callable[[Send, Callable[[float], bool]], None], ended: threading.Event, tls: ssl.SSLContext | None) -> None:
    connection.settimeout(LIFE_S)
    try:
        with tls.wrap_socket(connection, server_side=True) if tls else connection as served:
            served.recv(65536)
            behave(served.sendall, ended.wait)
    except OSError:
        return
