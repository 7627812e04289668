# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""points.json: the percentiles of points of the matrix, from the pooled samples of their repeats. None is computed from other percentiles."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import milliseconds
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import read_window
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import summarize

POINTS_NAME = "points.json"
_KEYS = ("tenants", "concurrency", "rate", "profile")


def write_points(directory: Path, records: Mapping[str, Mapping[str, Any]], schema_dir: Path | str) -> None:
    """Write points.json of a run beside its run.json, or remove that of earlier records when no point has two valid repeats any more.

    `records` are the intact ones by cell id. Each point names its cells with the checksums of their records, so that a reader sees whether it is about
    these. Raises FileWriteError, ValueError against the schema, and K6ResultError when samples cannot be read.
    """
    points = [_point(directory, cells) for cells in _repeated(records.values())]
    if points:
        write_record(directory / POINTS_NAME, {"points": points}, "points", schema_dir)
    else:
        (directory / POINTS_NAME).unlink(missing_ok=True)


def _repeated(records: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the valid records that nothing disturbed, by point, of the points that have several."""
    points: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        # Records of schema version 1 have no checksum to be named by.
        if CHECKSUM in record and record["verdict"]["status"] == "valid" and not record.get("notes", {}).get("disturbances"):
            # The id names all axes of the plan, and the repeat last.
            points.setdefault(record["id"].rpartition("-r")[0], []).append(record)
    return [cells for cells in points.values() if len(cells) > 1]


def _point(directory: Path, cells: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one point: {tenants, concurrency, rate, profile, cells: checksum by cell id, total, operations}."""
    pooled: dict[str, array[int]] = {}
    for cell in cells:
        for operation, durations in read_window(directory / "cells" / cell["id"]).items():
            pooled.setdefault(operation, array("q")).extend(durations)
    return {
        **{key: cells[0]["spec"][key] for key in _KEYS},
        "cells": {cell["id"]: cell[CHECKSUM] for cell in cells},
        "total": _summary(chain.from_iterable(pooled.values())),
        "operations": {name: _summary(pooled[name]) for name in sorted(pooled)},
    }


def _summary(durations: Iterable[int]) -> dict[str, Any]:
    ordered = sorted(durations)
    found = summarize(ordered)
    return {"n": len(ordered), "latency_ms": milliseconds(found["values"]), "low_n": found["low_n"], "suppressed": found["suppressed"]}
