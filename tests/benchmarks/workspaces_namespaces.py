# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long one call takes to create and to find 500 tenants as namespaces with their bindings, and teardown to remove them.

Usage: workspaces_namespaces.py [COUNT]; needs KUBECONFIG (`tests/cluster/run.py enter` sets it) and measures nothing without it.
"""

from __future__ import annotations

import os
import resource
import sys

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import TenantSpec, ensure_tenants

PARALLELISM = 16
RUN_ID = "benchmark"
# Not the label of the runs: a benchmark must not take their tenants out of sight.
SELECTOR = {"perfscale.mlflow/benchmark": "true"}
GOALS_S = {"created": 5.0, "found again": 3.0}


def cpu_s() -> float:
    """Return the processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the benchmark."""
    if not os.environ.get("KUBECONFIG"):
        print("workspaces_namespaces: no cluster (KUBECONFIG is not set)")
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    cluster = connect({"kubeconfig": os.environ["KUBECONFIG"]}, PARALLELISM)
    names = [f"benchmark-{number}" for number in range(1, count + 1)]
    spec = TenantSpec(names, RUN_ID, SELECTOR, ("mlflow-operator-mlflow-integration",), ("default", "default"))
    try:
        for what, goal in GOALS_S.items():
            before = cpu_s()
            done = ensure_tenants(cluster, spec, PARALLELISM)
            changed = len(done["created"]) + done["bindings"]
            print(
                f"workspaces_namespaces: {count} tenants with bindings {what} in {done['seconds']:.2f} s (goal {goal:g} s), {changed} objects changed, "
                f"{cpu_s() - before:.2f} CPU-s here, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            )
    finally:
        done = tear_down(cluster, RUN_ID, [], selector=SELECTOR, parallelism=PARALLELISM)
        print(f"workspaces_namespaces: removed again in {done['seconds']:.0f} s, {len(done['remaining'])} remaining")
        cluster.close()


if __name__ == "__main__":
    main()
