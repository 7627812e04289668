# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables with which the playbooks run on the test cluster, for tests and, as a file, for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fake_operator import manifests
from node import layout, monitoring

ROOT = Path(__file__).resolve().parents[2]


def settings_for(directory: Path, images: Mapping[str, str], prometheus: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables that fit the roles to a node of two cores: images, small requests, short waits."""
    small = {"requests": {"cpu": "100m", "memory": "256Mi"}}
    return {
        "mlflow_operator_manifests": [str(manifests.write(directory, "opendatahub"))],
        "mlflow_operator_env": {"SUPPORTED_MLFLOW_VERSION": images["mlflow"].rpartition(":")[2], "EXPOSE_METRICS": "true"},
        "mlflow_operator_image": images["mlflow"],
        "mlflow_operator_mlflow_image": images["mlflow"],
        "mlflow_server_image": images["mlflow"],
        "mlflow_server_resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        "mlflow_server_storage_size": "1Gi",
        "postgresql_image": images["postgresql"],
        "postgresql_exporter_image": images["postgres-exporter"],
        "postgresql_resources": {**small, "limits": {"cpu": "1", "memory": "512Mi"}},
        "postgresql_storage_size": "1Gi",
        "k6_runner_pod_image": images["k6"],
        "k6_runner_pod_resources": {**small, "limits": {"cpu": "1", "memory": "512Mi"}},
        "monitoring_prometheus_url": prometheus["url"],
        "monitoring_ca_file": prometheus["ca_file"],
        "monitoring_cluster_scrape_interval_s": 5,
        "test_matrix_warmup": "3s",
        "test_matrix_duration": "30s",
        "test_matrix_concurrency": 5,
    }


def write_variables(places: layout.Layout) -> Path:
    """Write the variables of a run on the node as a file for the option -e of ansible-playbook, and return it."""
    images = json.loads(places.images.read_text(encoding="utf-8"))
    settings = settings_for(places.state / "operator", images, {"url": monitoring.URL, "ca_file": str(places.pki / "ca.crt")})
    path = places.state / "variables.json"
    path.write_text(json.dumps({"results_dir": str(ROOT / "results"), **settings}, indent=1) + "\n", encoding="utf-8")
    return path


def suite_command(variables: Path) -> str:
    """Return the command that runs the whole suite inside the node's network with a file of variables, from the top of the repository."""
    programs = Path(sys.executable).parent
    runner = Path(__file__).with_name("run.py").relative_to(ROOT)
    return (
        f"{programs / 'python'} {runner} enter {programs / 'ansible-playbook'} -i inventories/kubernetes playbooks/full_suite.yml -e @{variables}"
    )
