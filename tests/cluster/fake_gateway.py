# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the gateway in front of MLflow: accepts TLS connections with its own certificate and passes the bytes on to another TLS server.

It listens on the loopback address, or on that of the node, where pods reach it through a Service.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from node import layout

CHUNK = 65536
NAME = "fake-gateway"


class Gateway:
    """Serves https://<host>:<port> while it is entered; `ca_file` is what clients trust."""

    def __init__(self, directory: Path, host: str, upstream: tuple[str, int], upstream_ca: str, address: str = "127.0.0.1") -> None:
        self.host, self.upstream, self.upstream_ca, self.address, self.port = host, upstream, upstream_ca, address, 0
        for name, content in certificates.issue([host], 2).items():
            (directory / name).write_bytes(content)
        self.ca_file = str(directory / "ca.crt")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Gateway:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, self.address, 0, ssl=self._context), self._loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_error: Any) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = ssl.create_default_context(cafile=self.upstream_ca)
        behind, beyond = await asyncio.open_connection(*self.upstream, ssl=context)
        await asyncio.gather(self._pass_on(reader, beyond), self._pass_on(behind, writer))

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def service(cluster: Cluster, directory: Path, behind: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (URL, CA file) of a Service of the cluster that leads through the gateway to the MLflow of a target.json; it is gone at the end."""
    host, server = f"{NAME}.{NAME}.svc", urlsplit(behind["url"])
    with Gateway(directory, host, (server.hostname, server.port), behind["ca_file"], layout.ADDRESS) as gateway:
        port = {"name": "https", "port": gateway.port, "protocol": "TCP"}
        endpoints = {"addressType": "IPv4", "ports": [port], "endpoints": [{"addresses": [layout.ADDRESS], "conditions": {"ready": True}}]}
        cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAME}})
        try:
            ports = {"ports": [{**port, "port": 443, "targetPort": gateway.port}]}
            cluster.request("POST", f"/api/v1/namespaces/{NAME}/services", {"metadata": {"name": NAME}, "spec": ports})
            metadata = {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}}
            cluster.request("POST", f"/apis/discovery.k8s.io/v1/namespaces/{NAME}/endpointslices", {"metadata": metadata, **endpoints})
            yield f"https://{host}", gateway.ca_file
        finally:
            cluster.request("DELETE", f"/api/v1/namespaces/{NAME}")
