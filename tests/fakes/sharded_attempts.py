# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempt directories of a load of several shards, as its backend leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fakes.fake_raw_samples import EPOCH_MS, raw_rows
from fakes.k6_raw_rows import HEADER, value

WARMUP_MS = 1000
WINDOW_MS = 12_000
START_MS = EPOCH_MS + WARMUP_MS
END_MS = START_MS + WINDOW_MS


def rows_of(seed: int, slowness: float = 1.0, requests: int = 1500, vus: int = 4) -> str:
    """Return the rows of one k6 that loads until the end of the window, with heartbeats and the number of virtual users; `slowness` multiplies latencies."""
    moments = range(EPOCH_MS, END_MS + 1000, 100)
    beats = "".join(value("heartbeat_lateness", at, 0.5, "heartbeat") + value("vus", at, vus) for at in moments)
    return "".join(raw_rows(requests, vus, 5, seed, slowness=slowness)) + beats


def write_k6(directory: Path, rows: str) -> None:
    """Write what a k6 that ended well leaves, with its window in the log."""
    directory.mkdir(parents=True)
    (directory / "raw.csv").write_text(HEADER + rows)
    vus = {"training": 8, "browsing": 8}
    line = json.dumps({"perfscale": "window", "start_ms": START_MS, "end_ms": END_MS, "users": vus, "vus": vus})
    (directory / "k6.log").write_text(f'time="2026-11-20T10:00:00Z" level=info msg={json.dumps(line)} source=console\n')
    counted = rows.count("\nhttp_req_duration,") + rows.startswith("http_req_duration,")
    (directory / "summary.json").write_text(json.dumps({"metrics": {"http_reqs": {"values": {"count": counted}}}, "state": {"testRunDurationMs": 13000}}))
    (directory / "k6.exit.json").write_text('{"exit_code": 0}')


def write_attempt(directory: Path, rows: dict[int, str], changes: dict[int, dict[str, Any]] | None = None) -> Path:
    """Write an attempt of as many shards as `rows` has; `changes` replace parts of their entries in shards.json."""
    entries = []
    for number, text in rows.items():
        write_k6(directory / "shards" / str(number), text)
        known = {
            "shard": number, "name": f"k6-{number}", "node": f"node-{number}", "exit_code": 0, "reason": "Completed",
            "files": ["raw.csv", "k6.log", "summary.json"], "is_complete": True, "started": EPOCH_MS / 1000, "cpu_s": 1.5, "memory_bytes_max": 90_000_000,
        }  # fmt: skip
        entries.append(known | (changes or {}).get(number, {}))
    (directory / "shards.json").write_text(json.dumps({"schema_version": 1, "planned": len(rows), "shards": entries}))
    return directory
