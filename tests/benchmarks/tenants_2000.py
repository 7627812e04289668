# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what thousands of tenants cost: as workspaces of a simulated MLflow, as namespaces of a fake API server, and in the choices of k6.

Usage: tenants_2000.py [COUNT …]. What answers is simulated, so these are the costs of the controller and the numbers of requests, not those of a cluster.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import TenantSpec, ensure_tenants
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import ensure_workspaces, tenant_names
from fakes.fake_api_server import FakeApiServer
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_mlflow
from programs.k6 import LOAD, executable, run_k6

COUNTS = (500, 2000)
PARALLELISM = 8
SELECTOR = {"perfscale.mlflow/benchmark": "true"}


@contextmanager
def printed(what: str) -> Iterator[None]:
    """Print seconds and processor seconds of what happens inside, and the peak memory so far."""
    began, used = time.perf_counter(), time.process_time()
    yield
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {time.perf_counter() - began:.2f} s, {time.process_time() - used:.2f} CPU-s, {memory:.0f} MiB")


def workspaces(count: int) -> None:
    """Create workspaces, and find them again."""
    names = tenant_names("tenant-", range(1, count + 1))
    with simulated_mlflow(store=True) as server:
        client = MlflowClient(server.url, connections=PARALLELISM)
        for what in ("created", "found again"):
            with printed(f"tenants_{count} workspaces {what}"):
                ensure_workspaces(client, names, PARALLELISM)
        client.close()
    print(f"tenants_{count} workspaces: {len(server.served)} requests in all")


def namespaces(count: int) -> None:
    """Create namespaces with their bindings on a fake API server, and find them again."""
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect

    names = [f"tenant-{number}" for number in range(1, count + 1)]
    spec = TenantSpec(names, "benchmark", SELECTOR, ("mlflow-user",), ("default", "default"))
    with FakeApiServer() as server, tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "config"
        kubeconfig.write_text(json.dumps(kubeconfig_of(server.url)))
        cluster = connect({"kubeconfig": str(kubeconfig)}, PARALLELISM)
        for what in ("created", "found again"):
            seen = len(server.requests)
            with printed(f"tenants_{count} namespaces {what}, server included"):
                ensure_tenants(cluster, spec, PARALLELISM)
            print(f"tenants_{count} namespaces {what}: {len(server.requests) - seen} requests")
        cluster.close()


def kubeconfig_of(url: str) -> dict:
    """Return a configuration of the client for a server without TLS."""
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "fake", "users": [{"name": "fake", "user": {}}],
        "clusters": [{"name": "fake", "cluster": {"server": url}}], "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
    }  # fmt: skip


def generator(count: int) -> None:
    """Load that many tenants with a token each for five seconds."""
    with simulated_mlflow() as server, tempfile.TemporaryDirectory() as directory:
        tokens = Path(directory) / "tokens.json"
        tokens.write_text(json.dumps({f"tenant-{number}": f"{number:04d}" + "t" * 1000 for number in range(1, count + 1)}))
        tenants = {"prefix": "tenant-", "count": count, "choice": {"distribution": "zipf", "exponent": 1}}
        mlflow = {"url": server.url, "token_file": None, "token_map_file": str(tokens), "tls_verify": True}
        config = load_config(server.url, mlflow=mlflow, tenants=tenants, profile={"kind": "closed", "concurrency": 50})
        ended = run_k6(executable("k6", "PERFSCALE_K6"), LOAD, Path(directory) / "k6", config=config)
    figures = f"{ended.memory_bytes / 1e6:.0f} MB, {1e3 * ended.cpu_seconds / len(server.served):.2f} CPU-ms per request"
    print(f"tenants_{count} k6 with 50 users and a token of 1 KB each: {figures}")


def main() -> None:
    """Run the benchmark."""
    for count in [int(argument) for argument in sys.argv[1:]] or COUNTS:
        workspaces(count)
        namespaces(count)
        generator(count)


if __name__ == "__main__":
    main()
