# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shards of a load on the controller: the directory of each, shards.json about all of them, and the exit record of the load as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import is_complete

SHARDS_FILE = "shards.json"
EXIT_FILE = "k6.exit.json"
RAW_FILES = ("raw.csv.gz", "raw.csv")


def shard_directory(attempt: Path, shard: int) -> Path:
    """Return the directory of one shard (from 1) of an attempt; it has what the attempt of a load that is not divided has."""
    return attempt / "shards" / str(shard)


def are_whole(attempt: Path) -> bool:
    """Return whether every shard of a divided load ended well and left its files."""
    try:
        record = read_json(attempt / SHARDS_FILE)
        return len(record["shards"]) == record["planned"] and all(entry["is_complete"] for entry in record["shards"])
    except (ValueError, KeyError, TypeError):
        return False


def shard_record(attempt: Path, shard: int, exited: Mapping[str, Any], reason: str, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a shard in shards.json.

    `exited` is its exit record, or what is known of it; `reason` says why a shard has no good end, empty otherwise; `pod` has name and node. A shard
    is complete with a complete window (k6.exit_codes), its raw samples and its summary.
    """
    directory = shard_directory(attempt, shard)
    files = sorted(path.name for path in directory.glob("*") if path.is_file() and not path.name.startswith("."))
    code = exited.get("exit_code")
    has_output = any(name in files for name in RAW_FILES) and any("summary" in name for name in files)
    return {
        "shard": shard,
        "name": pod.get("name"),
        "node": pod.get("node"),
        "exit_code": code,
        "reason": reason or None,
        "files": files,
        "is_complete": is_complete(code) and has_output,
        "started": exited.get("started"),
        "cpu_s": exited.get("cpu_seconds"),
        "memory_bytes_max": exited.get("max_rss_bytes"),
    }


def write_shards(attempt: Path, entries: Sequence[Mapping[str, Any]], planned: int) -> None:
    """Write shards.json of an attempt. Raises FileWriteError."""
    write_json(attempt / SHARDS_FILE, {"schema_version": 1, "planned": planned, "shards": list(entries)})


def whole_exit(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the exit record of a load from those of its shards: the worst exit code, the CPU seconds of all, the memory of the largest.

    The worst is one without a complete window, else one that is not 0.
    """
    worst = max(records, key=lambda record: (not is_complete(record["exit_code"]), record["exit_code"] != 0))
    cpu = [record.get("cpu_seconds") for record in records]
    peaks = [record["max_rss_bytes"] for record in records if record.get("max_rss_bytes")]
    started = [record["started"] for record in records if record.get("started")]
    ended = [record["ended"] for record in records if record.get("ended")]
    return {
        **worst,
        "started": min(started, default=None),
        "ended": max(ended, default=None),
        "cpu_seconds": round(sum(cpu), 6) if None not in cpu else None,
        "max_rss_bytes": max(peaks, default=None),
        "oom_kills": sum(record.get("oom_kills") or 0 for record in records),
    }


def write_exit(directory: Path, record: Mapping[str, Any]) -> None:
    """Write an exit record where `read_exit` finds it: of a shard, or of the load as a whole. Raises FileWriteError."""
    write_json(directory / EXIT_FILE, dict(record))
