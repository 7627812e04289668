# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples with known figures: pods under a varying load, and groups of processes that run, end and ended long ago."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRAPE_S = 30.0  # of pods; processes are scraped every second
WINDOW_S = 1800.0
GAP_S = (900.0, 1020.0)
RESET_S = 665.0
REPLICAS = 4


PROCESS_WINDOW_S = 30.0
Samples = dict[str, list[str]]


@dataclass(frozen=True)
class Truth:
    """A window over synthetic counters, and its exact figures."""

    start: float
    end: float
    cpu_cores_mean: float
    cpu_cores_mean_of: dict[str, float]
    memory_bytes_peak: float


def load_curve(randomness: random.Random) -> Callable[[float], float]:
    """Return CPU seconds used up to second t: a wandering load with bursts, in closed form."""
    base = randomness.uniform(0.3, 1.2)
    swing, period, shift = base * randomness.uniform(0.2, 0.6), randomness.uniform(70, 400), randomness.uniform(0, 6)

    def used(t: float) -> float:
        return base * t + swing * period / math.tau * (math.cos(shift) - math.cos(math.tau * t / period + shift))

    return used


def pods(seed: int, origin: float) -> tuple[Samples, Truth]:
    """Return samples of four replicas with one counter reset and a gap of two minutes, and the truth."""
    randomness = random.Random(seed)
    phase = randomness.uniform(0, SCRAPE_S)
    reset_at = RESET_S + randomness.uniform(-SCRAPE_S, SCRAPE_S)
    cpu, memory, means, peak = [], [], {}, 0.0
    for replica in range(REPLICAS):
        used = load_curve(randomness)
        pod = f"mlflow-{replica}"
        labels = f'{{namespace="seed-{seed}",pod="{pod}",container="mlflow"}}'
        means[pod] = (used(WINDOW_S) - used(0)) / WINDOW_S
        t = phase - 4 * SCRAPE_S
        while t < WINDOW_S + 2 * SCRAPE_S:
            if not GAP_S[0] <= t < GAP_S[1]:
                since = reset_at if replica == 0 and t >= reset_at else -600.0
                cpu.append(f"{labels} {used(t) - used(since):.6f} {origin + t:.3f}")
                memory.append(f"{labels} {(replica + 1) * 1e8 + t * 1000:.0f} {origin + t:.3f}")
                if 0 <= t <= WINDOW_S and replica == REPLICAS - 1:
                    peak = max(peak, sum((number + 1) * 1e8 + t * 1000 for number in range(REPLICAS)))
            t += SCRAPE_S
    truth = Truth(origin, origin + WINDOW_S, sum(means.values()), means, peak)
    return {"container_cpu_usage_seconds_total": cpu, "container_memory_working_set_bytes": memory}, truth


def processes(origin: float) -> Samples:
    """Return what process-exporter shows of groups in a window of 30 s from `origin` on.

    `mlflow` uses 1.25 cores; `k6_benchmark` uses half a core and ends in the middle; `ended` did so a minute before;
    of `postgresql`, which restarts before the first sample of the window, no proportional set size is gathered.
    """
    name = "namedprocess_namegroup_"
    samples: Samples = {name + metric: [] for metric in ("cpu_seconds_total", "memory_bytes", "num_procs", "oldest_start_time_seconds")}
    # name, cores, second of its end, proportional and resident bytes
    groups = (
        ("mlflow", 1.25, math.inf, 5e8, 6e8),
        ("k6_benchmark", 0.5, 15.0, 1e8, 1e8),
        ("ended", 0.5, -60.0, 1e8, 1e8),
        ("postgresql", 0.1, math.inf, 0.0, 2e8),
    )
    for group, cores, ends, proportional, resident in groups:
        for second in range(-30, int(PROCESS_WINDOW_S) + 5):
            t, alive = second + 0.5, second + 0.5 < ends
            used, label = cores * (min(t, ends) + 100), f'groupname="{group}"'

            def add(metric: str, labels: str, value: float, stamp: float = origin + t) -> None:
                samples[name + metric].append(f"{{{labels}}} {value:.6f} {stamp:.3f}")

            add("cpu_seconds_total", f'{label},mode="user"', used * 0.8)
            add("cpu_seconds_total", f'{label},mode="system"', used * 0.2)
            add("memory_bytes", f'{label},memtype="proportionalResident"', proportional * alive)
            add("memory_bytes", f'{label},memtype="resident"', resident * alive)
            add("num_procs", label, 3.0 * alive)
            add("oldest_start_time_seconds", label, (2000.0 if group == "postgresql" and t > 0 else 1000.0) * alive)
    # MLflow's own counters: those of a server that ended before, and of one that serves 20 requests/s from the start of the window on and, from second 5
    # on, 10 more of another kind.
    counters = samples["mlflow_http_request_total"] = []
    for second in range(-60, int(PROCESS_WINDOW_S) + 5):
        t = second + 0.5
        read, wrote = (9000.0, 1304.0) if t < -40 else (100 + 20 * max(0.0, t), 10 * (t - 5) if t > 5 else None)
        if not -40 <= t < -30:
            counters.append(f'{{method="GET",status="200"}} {read:.6f} {origin + t:.3f}')
        if wrote is not None:
            counters.append(f'{{method="POST",status="200"}} {wrote:.6f} {origin + t:.3f}')
    return samples


def load(origin: float) -> Samples:
    """Return what k6 with live metrics and MLflow show of ten minutes from `origin` on: 20 requests/s of two operations, one of which fails at times."""
    samples: Samples = {}
    requests = {"get_run": ("true", 15.0), "create_run": ("true", 4.5), "search_runs": ("false", 0.5)}
    for second in range(0, 600, 5):
        stamp = f"{origin + second:.3f}"

        def add(metric: str, labels: str, value: float, stamp: str = stamp) -> None:
            samples.setdefault(metric, []).append(f"{{{labels}}} {value:.6f} {stamp}")

        for name, (is_expected, rate) in requests.items():
            labels = f'expected_response="{is_expected}",name="{name}",scenario="browsing",status="{200 if is_expected == "true" else 503}"'
            add("k6_http_reqs_total", labels, rate * second)
            add("k6_http_req_duration_p95", labels, 0.08)
        add("k6_vus", "", 10)
        add("mlflow_http_request_total", 'method="GET",status="200"', 20.0 * second)
        for bound, share in (("0.05", 0.5), ("0.1", 1.0), ("+Inf", 1.0)):
            add("mlflow_http_request_duration_seconds_bucket", f'le="{bound}",method="GET",status="200"', 20.0 * second * share)
    return samples


def write_openmetrics(path: Path, parts: list[Samples]) -> None:
    """Write samples grouped by metric and by series, as OpenMetrics demands."""
    with path.open("w", encoding="utf-8") as stream:
        for metric in dict.fromkeys(name for part in parts for name in part):
            kind = "counter" if metric.endswith("_total") else "gauge"
            stream.write(f"# TYPE {metric.removesuffix('_total')} {kind}\n")
            lines = [line for part in parts for line in part.get(metric, [])]
            stream.writelines(f"{metric}{line}\n" for line in sorted(lines, key=lambda line: line.partition("}")[0]))
        stream.write("# EOF\n")
