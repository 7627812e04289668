# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of tenants, tokens and permissions share: names of a test's own, and logging in as a service account."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import TenantSpec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token

RBAC = "/apis/rbac.authorization.k8s.io/v1"
# As many as the fixture `cluster` has connections.
PARALLELISM = 8
# What the ClusterRole mlflow-operator-mlflow-integration grants.
INTEGRATION = [
    {"apiGroups": ["mlflow.kubeflow.org"], "resources": ["experiments", "registeredmodels", "datasets"], "verbs": ["get", "list", "create", "update"]}
]


@dataclass(frozen=True)
class Own:
    """Names that no other test has: a run, a prefix of tenants, a label that selects them, a role, and the namespace of the load."""

    run_id: str
    prefix: str
    selector: dict[str, str]
    role: str
    home: str

    def spec(self, count: int, **changes: Any) -> TenantSpec:
        """Return so many tenants of the test's own."""
        given = {"selector": self.selector, "roles": (self.role,), "shared": (self.home, "load"), **changes}
        return TenantSpec([f"{self.prefix}{number}" for number in range(1, count + 1)], self.run_id, **given)


@contextmanager
def own_names(cluster: Cluster, home: str) -> Iterator[Own]:
    """Yield names of a test's own, with the role behind them, and remove everything that carries the run afterwards."""
    word = f"e{uuid.uuid4().hex[:6]}"
    own = Own(f"run-{word}", f"{word}-tenant-", {f"perfscale.mlflow/{word}": "true"}, f"{word}-integration", home)
    cluster.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": own.role}, "rules": INTEGRATION})
    cluster.request("POST", f"/api/v1/namespaces/{home}/serviceaccounts", {"metadata": {"name": "load"}})
    try:
        yield own
    finally:
        tear_down(cluster, own.run_id, [home], selector=own.selector, parallelism=PARALLELISM)
        cluster.request("DELETE", f"{RBAC}/clusterroles/{own.role}")


def log_in(cluster: Cluster, namespace: str, name: str, directory: Path, seconds: int = 3600) -> Cluster:
    """Return a client of the same cluster with a token of a service account."""
    token = request_token(cluster, namespace, name, seconds).text
    return connect(login(cluster, token))


def login(cluster: Cluster, token: str) -> dict[str, Any]:
    """Return the options by which a module logs in with a token."""
    return {"host": cluster.host, "api_key": token, "ca_cert": cluster.configuration.ssl_ca_cert}


def until(what: str, is_so: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """Return what `is_so` does as soon as it is true."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {limit_s:g} s")


def apply(cluster: Cluster, path: str, manifest: Mapping[str, Any]) -> None:
    """Create an object from a manifest."""
    query = {"fieldManager": "test", "force": "true"}
    cluster.request("PATCH", path, body=manifest, query=query, content_type="application/apply-patch+yaml")
