# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics and scrape targets of the pods, over HTTP on loopback: `python pod_server.py KUBECONFIG PORT`. Every response reads the pods again."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from node import pod_targets, state_metrics

METRICS, MLFLOW, ANNOTATED, HEALTH = "/metrics", "/targets/mlflow", "/targets/annotated", "/healthz"
ANSWERS = {
    METRICS: ("text/plain; version=0.0.4", state_metrics.exposition),
    MLFLOW: ("application/json", lambda pods: json.dumps(pod_targets.mlflow(pods))),
    ANNOTATED: ("application/json", lambda pods: json.dumps(pod_targets.annotated(pods))),
    HEALTH: ("text/plain", lambda pods: f"{len(pods)} pods\n"),
}


def serve(kubeconfig: str, port: int) -> None:
    """Answer until the process is stopped."""
    cluster = connect({"kubeconfig": kubeconfig})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, (kind, answer) = 200, ANSWERS.get(self.path, ("text/plain", None))
            try:
                text = answer(cluster.items("/api/v1/pods", attempts=1)) if answer else "unknown\n"
            except ClusterError as error:
                status, text = 503, f"{error}\n"
            self.send_response(status if answer else 404)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: Any) -> None:
            """Print nothing: a line for every scrape would fill the log."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
