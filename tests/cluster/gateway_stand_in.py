# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the gateway in front of MLflow: a TLS reverse proxy on the node with a certificate of its own, reached through a Service."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from node import layout

NAME = "gateway-stand-in"
HOST = f"{NAME}.{NAME}.svc"
CHUNK = 65536


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


class Proxy:
    """Ends TLS of clients and begins another one to the server behind, in a thread with an event loop of its own."""

    def __init__(self, directory: Path, behind: Mapping[str, Any]) -> None:
        made = certificates.issue([HOST], days=1)
        for name, content in made.items():
            (directory / name).write_bytes(content)
        self.ca_file = str(directory / "ca.crt")
        self._front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._front.load_cert_chain(directory / "tls.crt", directory / "tls.key")
        self._back = ssl.create_default_context(cafile=behind["ca_file"])
        self._address = urlsplit(behind["url"])
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, layout.ADDRESS, 0, ssl=self._front))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, downstream = await asyncio.open_connection(self._address.hostname, self._address.port, ssl=self._back)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, downstream), _copy(upstream, writer))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@contextmanager
def gateway(cluster: Cluster, directory: Path, behind: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (URL, CA file) of a gateway to the MLflow of target.json; Service and proxy go at the end."""
    proxy = Proxy(directory, behind)
    labels = {"kubernetes.io/service-name": NAME}
    port = {"name": "https", "port": proxy.port, "protocol": "TCP"}
    slice_of = {"addressType": "IPv4", "ports": [port], "endpoints": [{"addresses": [layout.ADDRESS], "conditions": {"ready": True}}]}
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAME}})
    try:
        service = {"metadata": {"name": NAME}, "spec": {"ports": [{**port, "port": 443, "targetPort": proxy.port}]}}
        cluster.request("POST", f"/api/v1/namespaces/{NAME}/services", service)
        cluster.request("POST", f"/apis/discovery.k8s.io/v1/namespaces/{NAME}/endpointslices", {"metadata": {"name": NAME, "labels": labels}, **slice_of})
        yield f"https://{HOST}", proxy.ca_file
    finally:
        proxy.close()
        cluster.request("DELETE", f"/api/v1/namespaces/{NAME}")
