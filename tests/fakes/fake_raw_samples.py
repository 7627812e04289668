# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a raw file as k6 1.x writes it (`--out csv`, unix_milli stamps, metadata), for benchmarks and large tests.

A closed loop of VUs is simulated: each draws a tenant and a journey, walks the journey's operations with
log-normal service times and pauses; rows come out in the order in which requests end, nine per request, with the
tags of metadata in either order, as k6 does it.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = "metric_name,timestamp,metric_value,error_code,name,scenario,status,extra_tags,metadata\n"
TRAINING_RUN = ["create_run"] + ["log_metric"] * 3 + ["log_parameter"] * 5 + ["log_artifact"] * 2 + ["update_run_status"]
JOURNEYS = {
    "training": ["create_experiment"] + ["create_prompt", "create_prompt_version"] * 3 + TRAINING_RUN * 3,
    "browsing": ["list_workspaces", "search_prompts", "search_experiments"]
    + (["get_experiment", "search_runs"] + ["get_run", "list_artifacts", "fetch_artifact"] * 3) * 5,
}
MEDIAN_MS = {"search_prompts": 60.0, "search_runs": 35.0, "search_experiments": 25.0, "log_artifact": 18.0, "fetch_artifact": 12.0}
EPOCH_MS = 1_795_000_000_000


def raw_rows(requests: int, vus: int, tenants: int, seed: int = 1, failures: float = 0.002, slowness: float = 1.0) -> Iterator[str]:
    """Yield the text of each request (nine rows) or journey end (two rows), in the order of their ends; `slowness` multiplies latencies."""
    draw = random.Random(seed)
    ready = [(EPOCH_MS + draw.uniform(0, 1000), vu, "", [], 0.0) for vu in range(vus)]
    heapq.heapify(ready)
    done = 0
    while done < requests:
        now, vu, metadata, left, began = heapq.heappop(ready)
        if not left:
            if metadata:
                yield _journey_rows(now, now - began, metadata)
                now += 1000
            journey = "training" if vu % 5 == 0 else "browsing"
            metadata, left, began = f"tenant=tenant-{draw.randint(1, tenants)}&journey={journey}", JOURNEYS[journey][::-1], now
        operation, left = left[-1], left[:-1]
        duration = slowness * MEDIAN_MS.get(operation, 8.0) * draw.lognormvariate(0, 0.5)
        yield _request_rows(draw, now + duration, duration, operation, metadata, draw.random() < failures)
        done += 1
        heapq.heappush(ready, (now + duration + 0.3, vu, metadata, left, began))


def _request_rows(draw: random.Random, end: float, duration: float, operation: str, metadata: str, failed: bool) -> str:
    tenant, journey = metadata.split("&")
    metadata = metadata if draw.random() < 0.5 else f"{journey}&{tenant}"
    tags = f"{'1500' if failed else ''},{operation},{journey[8:]},{500 if failed else 200},,{metadata}\n"
    sending, receiving = draw.uniform(0.02, 0.09), draw.uniform(0.03, 0.2)
    values = {"http_reqs": 1, "http_req_duration": duration, "http_req_blocked": 0.003, "http_req_connecting": 0, "http_req_tls_handshaking": 0,
              "http_req_sending": sending, "http_req_waiting": max(duration - sending - receiving, 0.01), "http_req_receiving": receiving,
              "http_req_failed": int(failed)}
    return "".join(f"{name},{int(end)},{value:.6f},{tags}" for name, value in values.items())


def _journey_rows(end: float, duration: float, metadata: str) -> str:
    journey = metadata.split("=")[-1]
    tags = f",,{journey},,"
    return (f"journey_duration,{int(end)},{duration:.6f},{tags}journey={journey}&outcome=completed,{metadata}\n"
            f"iterations,{int(end)},1.000000,{tags},\n")


def write_raw(path: Path, requests: int, vus: int, tenants: int, seed: int = 1) -> None:
    """Write a raw file of that many requests."""
    with path.open("w", encoding="ascii") as raw:
        raw.write(HEADER)
        raw.writelines(raw_rows(requests, vus, tenants, seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--vus", type=int, default=20)
    parser.add_argument("--tenants", type=int, default=100)
    arguments = parser.parse_args()
    write_raw(arguments.path, arguments.requests, arguments.vus, arguments.tenants)
