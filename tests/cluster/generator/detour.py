# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to the API server that can be cut: a kubeconfig whose connections pass through this process."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Detour:
    """Forwards connections to one address while it is open; `cut` breaks those that exist and rejects new ones."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and the next ones too."""
        self.is_cut = True
        for connection in list(self._open):
            _break(connection)

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _address = self._listener.accept()
                if self.is_cut:
                    _break(inner)
                    continue
                outer = socket.create_connection(self._target, timeout=10)
                outer.settimeout(None)
                self._open |= {inner, outer}
                for source, sink in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                sink.sendall(block)
        for connection in (source, sink):
            self._open.discard(connection)
            _break(connection)


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def detour(kubeconfig: str, directory: Path) -> Iterator[tuple[Detour, str]]:
    """Yield the detour and a kubeconfig that uses it; certificates are still verified against the real name."""
    document = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    cluster = document["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    way = Detour(address.hostname, address.port or 443)
    cluster |= {"server": f"https://127.0.0.1:{way.port}", "tls-server-name": address.hostname}
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        yield way, str(path)
    finally:
        way.close()
