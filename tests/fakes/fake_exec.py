# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the API server's exec: a real WebSocket on loopback that sends what the test scripts, channel by channel."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from typing import Any

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FakeExec:
    """Serves one connection: an HTTP error, or frames of (channel, bytes), then a close frame or a cut. `received` is the standard input."""

    def __init__(
        self,
        frames: list[tuple[int, bytes]],
        http_error: bytes = b"",
        is_cut: bool = False,
        wait_for: int = 0,
        hangs: bool = False,
        drips: str = "",
        is_endless: bool = False,
    ) -> None:
        """`wait_for` bytes of standard input are read before anything is sent; with `hangs` nothing is sent at all.

        `drips` names what comes a byte now and then, the `handshake` or a `frame`; with `is_endless` frames never end.
        """
        self.frames, self.http_error, self.is_cut, self.wait_for, self.hangs = frames, http_error, is_cut, wait_for, hangs
        self.drips, self.is_endless = drips, is_endless
        self.request = b""
        self.received = b""
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the server."""
        self._done.set()
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        connection, _address = self._listener.accept()
        with connection:
            stream = connection.makefile("rb")
            while not self.request.endswith(b"\r\n\r\n"):
                self.request += stream.readline()
            if self.http_error:
                connection.sendall(self.http_error)
                return
            if self.drips == "handshake":
                self._drip(connection)
                return
            connection.sendall(self._handshake())
            if self.drips == "frame":
                connection.sendall(struct.pack("!BBHB", 130, 126, 60000, 1))
                self._drip(connection)
                return
            if self.is_endless:
                self._flood(connection)
                return
            while len(self.received) < self.wait_for:
                self.received += self._payload(stream)
            if self.hangs:
                self._done.wait(5)
                return
            for channel, data in self.frames:
                connection.sendall(_frame(2, bytes([channel]) + data))
            if not self.is_cut:
                connection.sendall(_frame(8, struct.pack("!H", 1000)))

    def _drip(self, connection: socket.socket) -> None:
        try:
            while not self._done.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            return

    def _flood(self, connection: socket.socket) -> None:
        try:
            while not self._done.is_set():
                connection.sendall(struct.pack("!BBQ", 130, 127, 1 << 40) + b"\x01" + b" " * (1 << 20))
        except OSError:
            return

    def _handshake(self) -> bytes:
        key = next(line.split(b":", 1)[1].strip() for line in self.request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept]
        return b"\r\n".join([*lines, b"Sec-WebSocket-Protocol: v4.channel.k8s.io", b"", b""])

    @staticmethod
    def _payload(stream: Any) -> bytes:
        """Return the data of one masked frame without its channel."""
        _first, second = stream.read(2)
        length = second & 127
        if length == 126:
            length = struct.unpack("!H", stream.read(2))[0]
        mask = stream.read(4)
        data = stream.read(length)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))[1:]


def _frame(opcode: int, data: bytes) -> bytes:
    head = bytes([128 | opcode, len(data)]) if len(data) < 126 else bytes([128 | opcode, 126]) + struct.pack("!H", len(data))
    return head + data
