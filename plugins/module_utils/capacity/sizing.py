# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizing table: the capacity of several deployments, in all, per core and per GiB, from the searches of their runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.run import CAPACITY_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import csv_cell, markdown
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import examine, read_record

_SERVER = ("mlflow", "postgresql")
_GIB = 2**30
COLUMNS = (
    "deployment", "workers", "replicas", "db_backend", "mlflow_version", "status", "unit", "capacity", "capacity_low", "capacity_high", "shown_to_hold",
    "shown_to_fail", "requests_per_s_low", "requests_per_s_high", "server_cores", "server_gib", "capacity_per_core", "capacity_per_gib", "breaks_by", "cause",
)  # fmt: skip


def sizing_rows(runs: Sequence[tuple[str, Path]], schema_dir: Path | str) -> list[dict[str, Any]]:
    """Return a row of COLUMNS for each deployment (label, directory of its run); its capacity is missing where its search has no answer.

    Cores (mean) and memory (peak) are those that MLflow and its database used at the limit. Raises ValueError for a run without capacity.json.
    """
    return [_row(label, directory, schema_dir) for label, directory in runs]


def _row(label: str, directory: Path, schema_dir: Path | str) -> dict[str, Any]:
    found = read_record(directory / CAPACITY_NAME, "capacity", schema_dir)
    records = examine(directory, schema_dir, digest=None).records
    at = records.get((found["breaks"] or {}).get("at") or "", {})
    factors = next(iter(records.values()), {}).get("spec", {}).get("factors", {})
    crossing, requests = found["crossing"] or {}, found["requests_per_s"] or {}
    cores, gib = _used(at, "cpu_cores_mean", 1.0), _used(at, "memory_bytes_peak", _GIB)
    load = crossing.get("load") if found["status"] == "answered" else None
    return {
        "deployment": label, "workers": factors.get("workers"), "replicas": factors.get("replicas"), "db_backend": factors.get("db_backend"),
        "mlflow_version": factors.get("mlflow_version"), "status": found["status"], "unit": found["unit"], "capacity": load,
        "capacity_low": crossing.get("low") if load else None, "capacity_high": crossing.get("high") if load else None,
        "shown_to_hold": found["shown"]["holds"], "shown_to_fail": found["shown"]["fails"], "requests_per_s_low": requests.get("low"),
        "requests_per_s_high": requests.get("high"), "server_cores": cores, "server_gib": gib,
        "capacity_per_core": load / cores if load and cores else None, "capacity_per_gib": load / gib if load and gib else None,
        "breaks_by": (found["breaks"] or {}).get("by", ""), "cause": (found["cause"] or {}).get("sentence", ""),
    }  # fmt: skip


def _used(record: Mapping[str, Any], number: str, unit: float) -> float | None:
    """Return what MLflow and its database used, None where nothing was measured."""
    resources = record.get("resources") or {}
    known = [resources[name][number] for name in _SERVER if (resources.get(name) or {}).get(number) is not None]
    return sum(known) / unit if known else None


def write_sizing(directory: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write sizing.csv and sizing.md, and return their names. Raises FileWriteError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(["" if row[name] is None else csv_cell(str(row[name])) for name in COLUMNS])
    write_text(directory / "sizing.csv", text.getvalue())
    write_text(directory / "sizing.md", sizing_markdown(rows))
    return ["sizing.csv", "sizing.md"]


def sizing_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown."""
    header = ("deployment", "capacity (95 %)", "per core", "per GiB", "breaks by", "cause")
    lines = ["# Sizing", "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for row in rows:
        cells = (row["deployment"], _capacity(row), _text(row["capacity_per_core"]), _text(row["capacity_per_gib"]), row["breaks_by"], row["cause"])
        lines.append(f"| {' | '.join(markdown(str(cell)) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _capacity(row: Mapping[str, Any]) -> str:
    """Return the interval of the capacity, or why there is none and what was shown."""
    if row["capacity"]:
        return f"{_text(row['capacity_low'])} to {_text(row['capacity_high'])} {row['unit']}"
    shown = [f"{_text(row[name])} {row['unit']} {verb}" for name, verb in (("shown_to_hold", "holds"), ("shown_to_fail", "fails")) if row[name] is not None]
    return f"{row['status']} ({', '.join(shown)})" if shown else row["status"]


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
