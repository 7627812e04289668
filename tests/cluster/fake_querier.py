# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of OpenShift's monitoring endpoint: TLS, and a bearer token whose permissions the API server checks; behind it the node's Prometheus.

As the proxies before thanos-querier do: the web port requires permissions on prometheuses/api in openshift-monitoring, the tenancy port
requires a namespace in the query, and permissions on pods of metrics.k8s.io there. The verb follows the method, so a POST is a creation.
"""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster

LIMIT_S = 30
VERBS = {"GET": "get", "POST": "create"}


@dataclass
class Querier:
    """`asked` are (user, method) of the accepted requests."""

    cluster: Cluster
    prometheus: dict[str, str]
    tenancy: bool
    asked: list[tuple[str, str]] = field(default_factory=list)

    def user_of(self, authorization: str) -> dict[str, Any] | None:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": authorization.removeprefix("Bearer ")}}
        status = self.cluster.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
        return status["user"] if status.get("authenticated") else None

    def may(self, user: dict[str, Any], method: str, namespace: str | None) -> bool:
        if self.tenancy:
            wanted = {"group": "metrics.k8s.io", "resource": "pods", "namespace": namespace}
        else:
            wanted = {"group": "monitoring.coreos.com", "resource": "prometheuses", "subresource": "api", "name": "k8s", "namespace": "openshift-monitoring"}
        spec = {"user": user["username"], "groups": user.get("groups", []), "resourceAttributes": {**wanted, "verb": VERBS[method]}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return self.cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    def forward(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=self.prometheus["ca_file"] or None)
        request = urllib.request.Request(self.prometheus["url"] + path, data=body, method=method, headers={"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S, context=context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextmanager
def querier(cluster: Cluster, prometheus: dict[str, str], address: str, certificate: dict[str, bytes], directory: Path, tenancy: bool = False) -> Iterator[Any]:
    """Yield (querier, port) of a running fake at a free port of the address."""
    known = Querier(cluster, prometheus, tenancy)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(None)

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers["Content-Length"])))

        def _serve(self, body: bytes | None) -> None:
            user = known.user_of(self.headers.get("Authorization", ""))
            namespace = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("namespace", [None])[0]
            if user is None:
                status, text = 401, b""
            elif (known.tenancy and namespace is None) or not known.may(user, self.command, namespace):
                status, text = 403, b""
            else:
                known.asked.append((user["username"], self.command))
                status, text = known.forward(self.command, self.path, body, self.headers.get("Content-Type", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: Any) -> None:
            """Print nothing."""

    for name in ("tls.crt", "tls.key"):
        file = directory / name
        file.touch(mode=0o600)
        file.write_bytes(certificate[name])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    server = ThreadingHTTPServer((address, 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield known, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=LIMIT_S)
