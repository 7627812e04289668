# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shards of a load on the controller: the directory of each, shards.json about all of them, and the exit record of the load as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import INTERRUPTED, STOPPED, is_complete
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import SHARDS_DIRECTORY, SHARDS_NAME, raw_file

EXIT_FILE = "k6.exit.json"


def shard_directory(attempt: Path, shard: int) -> Path:
    """Return the directory of one shard (from 1) of an attempt; it has what the attempt of a load that is not divided has."""
    return attempt / SHARDS_DIRECTORY / str(shard)


def shard_record(attempt: Path, shard: int, name: str, node: str | None, exited: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the entry of a shard in shards.json (files/schemas/shards.json).

    `exited` is its exit record, or {exit_code} where that did not arrive; `reason` says why a shard has no good end, empty otherwise. The exit record
    comes last, so with it every file has arrived.
    """
    directory = shard_directory(attempt, shard)
    files = sorted(path.name for path in directory.glob("*") if path.is_file() and not path.name.startswith("."))
    return {
        "shard": shard,
        "name": name,
        "node": node,
        "exit_code": exited["exit_code"],
        "reason": reason or None,
        "files": files,
        "is_complete": EXIT_FILE in files and raw_file(directory).is_file(),
        "started": exited.get("started"),
        "cpu_s": exited.get("cpu_seconds"),
        "memory_bytes_max": exited.get("max_rss_bytes"),
    }


def write_shards(attempt: Path, entries: Sequence[Mapping[str, Any]], planned: int) -> None:
    """Write shards.json of an attempt. Raises FileWriteError."""
    write_json(attempt / SHARDS_NAME, {"schema_version": 1, "planned": planned, "shards": list(entries)})


def whole_exit(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the exit record of a load from those of its shards: the worst exit code, the CPU seconds of all, the memory of the largest.

    The worst is one without a complete window, else one that a threshold ended (the others are stopped then), else one that is not 0.
    """
    codes = {record["exit_code"] for record in records}

    def badness(record: Mapping[str, Any]) -> tuple[bool, bool, bool]:
        code = record["exit_code"]
        is_fine = is_complete(code) or (STOPPED in codes and code in INTERRUPTED)
        return not is_fine, code == STOPPED, code != 0

    worst = max(records, key=badness)
    cpu = [record["cpu_seconds"] for record in records if record.get("cpu_seconds") is not None]
    peaks = [record["max_rss_bytes"] for record in records if record.get("max_rss_bytes")]
    started = [record["started"] for record in records if record.get("started")]
    ended = [record["ended"] for record in records if record.get("ended")]
    return {
        **worst,
        "started": min(started, default=None),
        "ended": max(ended, default=None),
        "cpu_seconds": round(sum(cpu), 6) if len(cpu) == len(records) else None,
        "max_rss_bytes": max(peaks, default=None),
        "oom_kills": sum(record.get("oom_kills") or 0 for record in records),
    }


def write_exit(directory: Path, record: Mapping[str, Any]) -> None:
    """Write an exit record where `read_exit` finds it: of a shard, or of the load as a whole. Raises FileWriteError."""
    write_json(directory / EXIT_FILE, dict(record))
