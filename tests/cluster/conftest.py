# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster: the node that `make test-cluster` creates, or the cluster of KUBECONFIG.

On another cluster these variables name what the node would: PERFSCALE_IMAGE_K6, _MLFLOW, _POSTGRESQL, … (images that it can pull),
PERFSCALE_PROMETHEUS_URL and PERFSCALE_PROMETHEUS_CA. What cannot be done there is skipped with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(Path(__file__).parent)]

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from node import layout, monitoring

ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PLAYBOOK_LIMIT_S = 900
ACCOUNT_LIMIT_S = 120
Played = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The file to log in with, with the permissions of an administrator."""
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.skip("Cluster: KUBECONFIG is not set. Run `make test-cluster`, or set it.")
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig: str) -> Cluster:
    """A client of the cluster."""
    return connect({"kubeconfig": kubeconfig})


@pytest.fixture(scope="session")
def node(kubeconfig: str) -> layout.Layout:
    """The directories of the node: its logs, its audit log, its programs. Only on the node of `make test-cluster`."""
    if os.environ.get("PERFSCALE_NODE") != "1":
        pytest.skip("Node: this cluster was not made by `make cluster-up`, so its programs cannot be looked at or stopped")
    return layout.default()


class Images(dict[str, str]):
    """Names of images by what is in them (k6, k6-1.8.1, mlflow, postgresql, postgres-exporter, busybox); a missing one skips the test."""

    def __missing__(self, name: str) -> str:
        variable = f"PERFSCALE_IMAGE_{name.upper().replace('-', '_').replace('.', '_')}"
        return os.environ.get(variable) or pytest.skip(f"Image {name}: not on this cluster. Set {variable} to one that it can pull.")


@pytest.fixture(scope="session")
def images(kubeconfig: str) -> Images:
    """The images that pods of this cluster may use."""
    ours = layout.default().images
    return Images(json.loads(ours.read_text(encoding="utf-8")) if os.environ.get("PERFSCALE_NODE") == "1" else {})


@pytest.fixture(scope="session")
def prometheus(kubeconfig: str) -> dict[str, str]:
    """{url, ca_file} of the Prometheus that watches this cluster."""
    if os.environ.get("PERFSCALE_NODE") == "1":
        return {"url": monitoring.URL, "ca_file": str(layout.default().pki / "ca.crt")}
    url = os.environ.get("PERFSCALE_PROMETHEUS_URL") or pytest.skip("Prometheus: unknown on this cluster. Set PERFSCALE_PROMETHEUS_URL.")
    return {"url": url, "ca_file": os.environ.get("PERFSCALE_PROMETHEUS_CA", "")}


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """An empty namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    # Pods need its service account. A controller creates it, with a delay after an outage of the API server.
    deadline = time.monotonic() + ACCOUNT_LIMIT_S
    while cluster.get(f"/api/v1/namespaces/{name}/serviceaccounts/default") is None:
        assert time.monotonic() < deadline, f"Namespace {name}: has no service account within {ACCOUNT_LIMIT_S} s"
        time.sleep(0.2)
    yield name
    cluster.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def playbook(kubeconfig: str, tmp_path: Path) -> Callable[..., Played]:
    """Run a playbook (a name, or a path below the repository) to its end in an empty directory; pytest shows its output when a test fails."""

    def play(name: str, variables: dict[str, Any] | None = None, *options: str, env: dict[str, str] | None = None) -> Played:
        path = name if name.endswith(".yml") else f"playbooks/{name}.yml"
        command = [str(ANSIBLE_PLAYBOOK), str(ROOT / path), "-e", json.dumps(variables or {}), *options]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "K8S_AUTH_KUBECONFIG": kubeconfig, "PWD": str(tmp_path)}
        # The recap of the default callback counts the changes.
        settings["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
        environment = {**inherited, "PATH": f"{ANSIBLE_PLAYBOOK.parent}{os.pathsep}{inherited['PATH']}", **settings, **(env or {})}
        played = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PLAYBOOK_LIMIT_S, check=False
        )
        print(played.stdout)
        return played

    return play
