# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples as a cluster's Prometheus has them, with known truth: replicas that restart, end and begin, and every series more than once.

Nothing marks a series as ended, as with cAdvisor's exported time stamps: Prometheus goes on showing it for five minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic import SCRAPE_S, Samples

Add = Callable[[str, dict[str, str], float, float], None]
NAMESPACE = "opendatahub"
WINDOW_S = 600.0
RESTART_S = 300.0
MIB = 2.0**20
COMPONENTS = {
    "mlflow": {"namespace": NAMESPACE, "pod": "mlflow-[a-z0-9]+-[a-z0-9]+", "container": "mlflow"},
    "k6_benchmark": {"namespace": NAMESPACE, "pod": "k6-benchmark"},
    "router": {"namespace": "openshift-ingress", "pod": "router-default-.*"},
}
# pod, namespace, container, id, cores, MiB, begin and end of its life in seconds of the window
LIVES = (
    ("mlflow-7d9c-aaaaa", NAMESPACE, "mlflow", "a1", 0.5, 500, -900.0, RESTART_S),
    ("mlflow-7d9c-aaaaa", NAMESPACE, "mlflow", "a2", 0.7, 450, RESTART_S, math.inf),
    ("mlflow-7d9c-bbbbb", NAMESPACE, "mlflow", "b1", 0.4, 500, -900.0, math.inf),
    ("mlflow-7d9c-bbbbb", NAMESPACE, "proxy", "b2", 3.0, 900, -900.0, math.inf),
    ("mlflow-7d9c-ccccc", NAMESPACE, "mlflow", "c1", 0.6, 500, -900.0, 210.0),
    ("mlflow-7d9c-ddddd", NAMESPACE, "mlflow", "d1", 0.3, 500, -900.0, math.inf),
    ("mlflow-7d9c-eeeee", NAMESPACE, "mlflow", "e1", 0.6, 400, 240.0, math.inf),
    ("mlflow-operator-controller-manager-5c-zzzzz", NAMESPACE, "manager", "z1", 5.0, 50, -900.0, math.inf),
    ("router-default-1", "openshift-ingress", "router", "r1", 0.2, 100, -900.0, math.inf),
    ("router-default-1", "openshift-ingress", "logs", "r2", 0.1, 20, -900.0, math.inf),
)
MLFLOW_CORES_MEAN = (0.5 * 300 + 0.7 * 300 + 0.4 * 600 + 0.6 * 210 + 0.3 * 600 + 0.6 * 360) / 600
MLFLOW_CORES_PEAK = 0.7 + 0.4 + 0.3 + 0.6


def cluster(origin: float) -> Samples:
    """Return all samples of a window of WINDOW_S seconds from `origin` on."""
    samples: Samples = {}

    def add(metric: str, labels: dict[str, str], value: float, stamp: float) -> None:
        text = ",".join(f'{key}="{text}"' for key, text in labels.items())
        samples.setdefault(metric, []).append(f"{{{text}}} {value:.6f} {origin + stamp:.3f}")

    for stamp in (number * SCRAPE_S + 7.0 for number in range(-20, int(WINDOW_S / SCRAPE_S) + 4)):
        for pod, namespace, container, number, cores, mib, begun, ended in LIVES:
            if begun <= stamp < ended:
                where = {"namespace": namespace, "pod": pod}
                _cadvisor(add, {**where, "container": container}, number, cores * (stamp - begun), mib * MIB, stamp, begun)
                _both_resource_jobs(add, {**where, "container": container}, cores * (stamp - begun), mib * MIB, stamp)
                if number != "b2" and number != "r2":
                    _network(add, where, number, stamp - begun, stamp)
        # k6 has only the kubelet's resource metrics.
        _both_resource_jobs(add, {"namespace": NAMESPACE, "pod": "k6-benchmark", "container": "k6"}, 0.25 * (stamp + 900), 80 * MIB, stamp)
        _kube_state(add, stamp)
        _servers(add, stamp)
        add("container_pressure_cpu_waiting_seconds_total", {"job": "cadvisor", "id": "/"}, 0.0, stamp)
        for cpu in range(2):
            add("node_cpu_seconds_total", {"instance": "n0", "cpu": str(cpu), "mode": "idle"}, (stamp + 900) * (0.5 + 0.2 * cpu), stamp)
    return samples


def _cadvisor(add: Add, labels: dict[str, str], number: str, seconds: float, working_set: float, stamp: float, begun: float) -> None:
    for job in ("cadvisor", "cadvisor-via-apiserver"):
        own = {"job": job, **labels, "id": f"/kubepods/{number}", "image": "localhost/x", "name": number}
        whole = {"job": job, "namespace": labels["namespace"], "pod": labels["pod"], "container": "", "id": f"/kubepods/pod-{number}", "image": ""}
        for each in (own, whole):
            add("container_cpu_usage_seconds_total", each, seconds, stamp)
            add("container_memory_working_set_bytes", each, working_set, stamp)
        add("container_start_time_seconds", own, begun, stamp)
        # A node with cgroup v1: zeros everywhere.
        add("container_pressure_cpu_waiting_seconds_total", own, 0.0, stamp)
        add("container_cpu_cfs_periods_total", own, (stamp - begun) * 10, stamp)
        add("container_cpu_cfs_throttled_periods_total", own, (stamp - begun) * (4 if number == "d1" else 1), stamp)


def _both_resource_jobs(add: Add, labels: dict[str, str], seconds: float, working_set: float, stamp: float) -> None:
    for job in ("resource", "resource-again"):
        add("container_cpu_usage_seconds_total", {"job": job, **labels}, seconds, stamp)
        add("container_memory_working_set_bytes", {"job": job, **labels}, working_set, stamp)


def _network(add: Add, where: dict[str, str], number: str, seconds: float, stamp: float) -> None:
    for job in ("cadvisor", "cadvisor-via-apiserver"):
        labels = {"job": job, **where, "container": "", "id": f"/kubepods/pause-{number[0]}", "image": "pause", "interface": "eth0"}
        add("container_network_receive_bytes_total", labels, 1000 * seconds, stamp)
        add("container_network_transmit_bytes_total", labels, 2000 * seconds, stamp)


def _kube_state(add: Add, stamp: float) -> None:
    restarted = stamp >= RESTART_S
    for pod in sorted({pod for pod, *_rest in LIVES if pod.startswith("mlflow-7d9c")}):
        labels = {"namespace": NAMESPACE, "pod": pod, "container": "mlflow"}
        add("kube_pod_container_status_restarts_total", labels, 2.0 + (restarted and pod.endswith("aaaaa")), stamp)
        add("kube_pod_container_resource_limits", {**labels, "resource": "cpu", "unit": "core"}, 2.0, stamp)
        add("kube_pod_container_resource_limits", {**labels, "resource": "memory", "unit": "byte"}, 1024 * MIB, stamp)
        add("kube_pod_container_resource_requests", {**labels, "resource": "cpu", "unit": "core"}, 0.2, stamp)
        claim = {"namespace": NAMESPACE, "pod": pod, "volume": "data", "persistentvolumeclaim": "mlflow-pvc"}
        add("kube_pod_spec_volumes_persistentvolumeclaims_info", claim, 1.0, stamp)
    if restarted:
        killed = {"namespace": NAMESPACE, "pod": "mlflow-7d9c-aaaaa", "container": "mlflow", "reason": "OOMKilled"}
        add("kube_pod_container_status_last_terminated_reason", killed, 1.0, stamp)
    claim = {"namespace": NAMESPACE, "persistentvolumeclaim": "mlflow-pvc"}
    add("kubelet_volume_stats_used_bytes", claim, 5e8 + 1e5 * stamp, stamp)
    add("kubelet_volume_stats_capacity_bytes", claim, 1e10, stamp)


def _servers(add: Add, stamp: float) -> None:
    add("mlflow_http_request_total", {"namespace": NAMESPACE, "pod": "mlflow-7d9c-ddddd", "method": "GET", "status": "200"}, 20 * (stamp + 900), stamp)
    add("apiserver_request_total", {"resource": "selfsubjectaccessreviews", "verb": "POST", "code": "201"}, 3 * (stamp + 900), stamp)
    add("pg_stat_activity_count", {"namespace": NAMESPACE, "datname": "mlflow", "state": "idle"}, 5.0, stamp)
    add("pg_stat_activity_count", {"namespace": NAMESPACE, "datname": "mlflow", "state": "active"}, 2.0, stamp)
    add("pg_settings_max_connections", {"namespace": NAMESPACE}, 100.0, stamp)
    add("pg_stat_database_xact_commit", {"namespace": NAMESPACE, "datname": "mlflow"}, 40 * (stamp + 900), stamp)
