# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus on the node, with TLS, and what it scrapes: kubelet, API server, state of objects, MLflow, PostgreSQL's exporter.

Jobs and labels are those of OpenShift's own monitoring where it has them (job kubelet with metrics_path, apiserver, kube-state-metrics).
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from node import layout, pod_server
from node.program import Program

SCRAPE_INTERVAL_S = 5
POD_SERVER_PORT = 8080
NODE_METRICS_PORT = 9100
MODULES = f"{Path(__file__).parents[3] / '.collections'}:{Path(__file__).parents[1]}"
URL = f"https://{layout.ADDRESS}:{layout.PROMETHEUS_PORT}"


def credentials(places: layout.Layout) -> dict[str, str]:
    """Write the client certificate of the monitoring user as files, for TLS settings; return these."""
    user = yaml.safe_load(places.kubeconfig_of("monitoring").read_text(encoding="utf-8"))["users"][0]["user"]
    files = {}
    for setting, name, key in (("cert_file", "monitoring.crt", "client-certificate-data"), ("key_file", "monitoring.key", "client-key-data")):
        file = places.config / name
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(user[key]))
        files[setting] = str(file)
    return files


def configuration(places: layout.Layout) -> dict[str, Any]:
    """Return the configuration of Prometheus."""
    client = credentials(places)
    # The kubelet's own certificate is self-signed.
    kubelet_tls = {**client, "insecure_skip_verify": True}
    return {
        "global": {"scrape_interval": f"{SCRAPE_INTERVAL_S}s", "scrape_timeout": f"{SCRAPE_INTERVAL_S}s"},
        "scrape_configs": [
            _static("kubelet", f"{layout.ADDRESS}:10250", "/metrics/cadvisor", kubelet_tls),
            # The same names as cAdvisor's: queries have to choose one of the two jobs.
            _static("kubelet-resource", f"{layout.ADDRESS}:10250", "/metrics/resource", kubelet_tls),
            _static("apiserver", f"{layout.ADDRESS}:{layout.API_PORT}", "/metrics", {**client, "ca_file": str(places.pki / "ca.crt")}),
            _static("kube-state-metrics", f"127.0.0.1:{POD_SERVER_PORT}", pod_server.METRICS),
            _static("node-exporter", f"127.0.0.1:{NODE_METRICS_PORT}", "/metrics"),
            {**_discovered("mlflow", pod_server.MLFLOW), "scheme": "https", "tls_config": {"insecure_skip_verify": True}},
            _discovered("pods", pod_server.ANNOTATED),
        ],
    }


def _discovered(job: str, path: str) -> dict[str, Any]:
    return {"job_name": job, "http_sd_configs": [{"url": f"http://127.0.0.1:{POD_SERVER_PORT}{path}", "refresh_interval": f"{SCRAPE_INTERVAL_S}s"}]}


def _static(job: str, target: str, path: str, tls: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a target of the node itself; a sample's own node label is preserved."""
    targets = [{"targets": [target], "labels": {"node": layout.NODE, "metrics_path": path}}]
    secure = {"scheme": "https", "tls_config": tls} if tls else {}
    return {"job_name": job, "metrics_path": path, "honor_labels": True, "static_configs": targets, **secure}


def write_configuration(places: layout.Layout) -> None:
    (places.config / "prometheus.yml").write_text(json.dumps(configuration(places)), encoding="utf-8")
    # The API server's certificate names the address of the node, so it serves here too.
    tls = {"tls_server_config": {"cert_file": str(places.pki / "apiserver.crt"), "key_file": str(places.pki / "apiserver.key")}}
    (places.config / "prometheus-web.yml").write_text(json.dumps(tls), encoding="utf-8")


def prometheus(places: layout.Layout, program: str) -> Program:
    return Program(
        "prometheus",
        [
            program,
            f"--config.file={places.config / 'prometheus.yml'}",
            f"--web.config.file={places.config / 'prometheus-web.yml'}",
            f"--web.listen-address={layout.ADDRESS}:{layout.PROMETHEUS_PORT}",
            f"--storage.tsdb.path={places.state / 'prometheus'}",
        ],
        f"{URL}/-/ready",
    )


def ensure(directory: Path) -> dict[str, str]:
    """Return the paths of Prometheus and node-exporter, found or fetched. Raises ToolError."""
    exporter = "prometheus-node-exporter"
    return {
        "prometheus": tools.ensure_monitor(tools.Settings(directory), "prometheus")["path"],
        "node-exporter": shutil.which(exporter) or str(cache.ensure_debian_package(directory, exporter)[0] / "usr/bin" / exporter),
    }


def programs(places: layout.Layout, paths: dict[str, str]) -> list[Program]:
    return [pod_facts(places), node_exporter(paths["node-exporter"]), prometheus(places, paths["prometheus"])]


def pod_facts(places: layout.Layout) -> Program:
    """Serve restarts, limits and reasons, which no kubelet exposes, and which pods to scrape."""
    script = Path(__file__).with_name("pod_server.py")
    argv = [sys.executable, str(script), str(places.kubeconfig_of("monitoring")), str(POD_SERVER_PORT)]
    return Program("pod-server", argv, f"http://127.0.0.1:{POD_SERVER_PORT}{pod_server.HEALTH}", {"PYTHONPATH": MODULES})


def node_exporter(program: str) -> Program:
    """Return the exporter of cores and memory of the machine."""
    argv = [program, f"--web.listen-address=127.0.0.1:{NODE_METRICS_PORT}", "--collector.disable-defaults", "--collector.cpu", "--collector.meminfo"]
    return Program("node-exporter", argv, f"http://127.0.0.1:{NODE_METRICS_PORT}/")
