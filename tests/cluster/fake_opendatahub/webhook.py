# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admission rules of Open Data Hub, served as its operator does: one DSCInitialization, one DataScienceCluster, and the order of their removal.

The API server calls it over HTTPS on loopback, so it has to run on the same machine, in the same network namespace.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.certificates import issue

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NAME = "fake-opendatahub"
PORT = 19443
CERTIFICATE = issue(["localhost"], days=2)
DSCI, DSC = "dscinitialization.opendatahub.io", "datasciencecluster.opendatahub.io"


def webhook_configuration(csv: str = "") -> dict[str, Any]:
    """Return the registration, failing closed as the real one does; `csv` (namespace/name) names the version it goes with."""
    rules = [
        {"apiGroups": [DSCI], "apiVersions": ["v1", "v2"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["dscinitializations"]},
        {"apiGroups": [DSC], "apiVersions": ["v1", "v2"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["datascienceclusters"]},
    ]
    webhook = {
        "name": "rules.opendatahub.fake",
        "clientConfig": {"url": f"https://localhost:{PORT}/", "caBundle": base64.b64encode(CERTIFICATE["ca.crt"]).decode()},
        "rules": rules,
        "failurePolicy": "Fail",
        "matchPolicy": "Exact",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    metadata = {"name": NAME, **({"labels": {"olm.owner.kind": "ClusterServiceVersion"}, "annotations": {"olm.owner": csv}} if csv else {})}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": metadata, "webhooks": [webhook]}


class Webhook:
    """Serves the rules while it is entered; `count` returns the number of objects of a group."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self.count = count
        self._server: ThreadingHTTPServer | None = None

    @property
    def serves(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        """Start serving, unless it does."""
        if self._server:
            return
        self._server = ThreadingHTTPServer(("127.0.0.1", PORT), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(CERTIFICATE["tls.crt"] + CERTIFICATE["tls.key"])
            context.load_cert_chain(file.name)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop serving; the API server then rejects every change of these kinds."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def denial_reason(self, request: dict[str, Any]) -> str:
        """Return why a request is denied, in the words of the real operator, or an empty text."""
        group, kind = request["resource"]["group"], request["kind"]["kind"]
        if request["operation"] == "CREATE" and self.count(group):
            return f"Only one instance of {kind} object is allowed"
        if request["operation"] == "DELETE" and group == DSCI and self.count(DSC):
            return "Cannot delete DSCInitialization v2 object when DataScienceCluster object still exists"
        return ""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                why = webhook.denial_reason(review["request"])
                answer = {"uid": review["request"]["uid"], "allowed": not why, **({"status": {"message": why, "code": 403}} if why else {})}
                body = json.dumps({**review, "request": None, "response": answer}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                return

        return Handler
