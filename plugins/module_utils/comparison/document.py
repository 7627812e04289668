# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""comparison.json: two sides, their conditions, and the judgement of every number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.conditions import Conditions, Match, conditions_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import TITLES, UNITS, Metric, metrics_of, values_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.sides import Side, assert_apart, read_side
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import (
    ALPHA,
    CORRECTION,
    POWER_CHANGE,
    SEVERITIES,
    SLOWER,
    UNDECIDED,
    VERDICTS,
    Judgement,
    Row,
    judge,
    overall,
    power,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import REPEATS_NEEDED, geometric_mean

DEFAULT_TOLERANCE = 0.05
_NAMED = 4


class Settings(NamedTuple):
    """What decides: the metrics with their direction, the tolerance of ratios (0.05 is 5 %), the least severity that fails, and what differs on purpose."""

    metrics: Sequence[Metric]
    tolerance: float = DEFAULT_TOLERANCE
    severity: str = "error"
    factor: str = ""
    accept: Sequence[str] = ()


def settings_of(
    document: Any, schema_dir: Path | str, tolerance: float = DEFAULT_TOLERANCE, severity: str = "error", factor: str = "", accept: Sequence[str] = ()
) -> Settings:
    """Return validated settings; `document` is the content of a file of files/comparison. Raises ValueError with one sentence."""
    check(document, "comparison_metrics", schema_dir)
    if not 0 < tolerance < 1:
        raise ValueError(f"Input comparison_tolerance: {tolerance:g} is not allowed. Give a share between 0 and 1, such as 0.05 for 5 %.")
    return Settings(metrics_of(document), tolerance, severity, factor, list(accept))


def compare(baseline: Sequence[str], candidate: Sequence[str], results: Path | str, schema_dir: Path | str, settings: Settings) -> dict[str, Any]:
    """Return the content of comparison.json for two sides, each a list of run directories, run ids or `latest`. Raises ComparisonError."""
    sides = [read_side(name, wanted, results, schema_dir) for name, wanted in (("baseline", baseline), ("candidate", candidate))]
    return compare_sides(sides[0], sides[1], settings)


def compare_sides(baseline: Side, candidate: Side, settings: Settings) -> dict[str, Any]:
    """Return the content of comparison.json for two sides that were read. Raises ComparisonError."""
    assert_apart(baseline, candidate)
    conditions = conditions_of(baseline, candidate, settings.factor, settings.accept)
    rows = [row for match in conditions.matches for row in _rows(match, settings.metrics)]
    judgements = judge(rows, settings.tolerance)
    # Numbers of a family may be missing in some repeats; those of all requests are in every cell.
    tested = [row for row in rows if row.metric.family == "total" and row.is_tested]
    recorded = [_recorded(judgement, settings.severity) for judgement in judgements]
    document: dict[str, Any] = {
        "status": "failed" if any(row["is_regression"] for row in recorded) else "passed",
        "baseline": _side(baseline),
        "candidate": _side(candidate),
        "points": [match.name for match in conditions.matches],
        "compared": [difference.document() for difference in conditions.compared],
        "accepted": [difference.document() for difference in conditions.accepted],
        "others": [difference.document() for difference in conditions.others],
        "settings": {
            "tolerance": settings.tolerance, "severity": settings.severity, "level": 0.95, "correction": CORRECTION, "alpha": ALPHA,
            "paired": bool(tested) and all(row.is_paired for row in tested),
        },
        "power": [{"family": family, "change": POWER_CHANGE, "share_found": share} for family, share in power(rows).items()],
        "overall": [
            {"metric": metric.metric, "better": metric.better, "change": change, "low": ends[0], "high": ends[1]}
            for metric, (change, ends) in overall(rows).items()
        ],
        "counts": _counts(recorded),
        "rows": recorded,
        "warnings": [*_warnings(conditions, baseline, candidate), *conditions.unmatched, *baseline.left_out, *candidate.left_out],
    }  # fmt: skip
    return {**document, "sentence": sentence_of(document)}


def _rows(match: Match, metrics: Sequence[Metric]) -> list[Row]:
    sides = [[values_of(record, metrics) for _run, record in cells] for cells in (match.baseline, match.candidate)]
    keys = dict.fromkeys(key for side in sides for values in side for key in values)
    return [Row(match.name, metric, name, *([values[metric, name] for values in side if (metric, name) in values] for side in sides)) for metric, name in keys]


def _recorded(judgement: Judgement, severity: str) -> dict[str, Any]:
    row, metric = judgement.row, judgement.row.metric
    low, high = judgement.interval or (None, None)
    decides = SEVERITIES.index(metric.severity) <= SEVERITIES.index(severity)
    return {
        "point": row.point, "family": metric.family, "of": row.name, "metric": metric.metric, "unit": UNITS[metric.metric], "better": metric.better,
        "scale": metric.scale, "severity": metric.severity, "baseline": _numbers(row.values[0]), "candidate": _numbers(row.values[1]),
        "change": judgement.change, "low": low, "high": high, "p": judgement.p, "verdict": judgement.verdict,
        "repeats_needed": judgement.repeats_needed, "reason": judgement.reason, "is_regression": judgement.verdict == SLOWER and decides,
    }  # fmt: skip


def _numbers(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": geometric_mean(values) if values else None, "values": list(values)}


def _side(side: Side) -> dict[str, Any]:
    return {"runs": [run.run_id for run in side.runs], "cells": len(side.cells), "started": min((run.started for run in side.runs), default=None)}


def _counts(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["family"], dict.fromkeys(VERDICTS, 0))[row["verdict"]] += 1
    return found


def _warnings(conditions: Conditions, baseline: Side, candidate: Side) -> list[str]:
    found = []
    if len(conditions.compared) > 1:
        names = ", ".join(difference.key for difference in conditions.compared)
        found.append(f"Several properties of the target differ ({names}), so no difference is due to one of them alone.")
    repeats = [(match.name, len(match.baseline), len(match.candidate)) for match in conditions.matches]
    unequal = [f"{name} {one} and {other}" for name, one, other in repeats if one != other]
    if unequal:
        found.append(f"Repeats are unequal (baseline and candidate of {', '.join(unequal)}); every interval takes both numbers into account.")
    few = [name for name, *counts in repeats if min(counts) < REPEATS_NEEDED]
    if few:
        found.append(f"Fewer than {REPEATS_NEEDED} repeats on a side, so nothing is tested there: {', '.join(few)}. Measure with test_matrix_repeats.")
    ends = [(min(run.started for run in side.runs), max(run.started for run in side.runs)) for side in (baseline, candidate)]
    if ends[0][1] < ends[1][0] or ends[1][1] < ends[0][0]:
        found.append("One side was measured after the other, so a drift of the machine counts as a difference; playbooks/compare_deployments.yml alternates.")
    return found


def what_text(document: dict[str, Any]) -> str:
    """Return what is compared: the factors with their values, or the runs."""
    if document["compared"]:
        return ", ".join(f"{row['key']} {row['baseline']} to {row['candidate']}" for row in document["compared"])
    return f"{_named(document['baseline']['runs'])} to {_named(document['candidate']['runs'])}"


def _named(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{runs[0]} and {len(runs) - 1} more"


def sentence_of(document: dict[str, Any]) -> str:
    """Return the answer as a sentence."""
    what = what_text(document)
    worse = sorted((row for row in document["rows"] if row["is_regression"]), key=change_size, reverse=True)
    if worse:
        named = ", ".join(f"{row_text(row)} at {row['point']} by {change_text(row)}" for row in worse[:_NAMED])
        more = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
        return f"{what}: slower in {len(worse)} of {len(document['rows'])} numbers: {named}{more}."
    total = document["counts"].get("total", {})
    counted = ", ".join(f"{count} {verdict}" for verdict, count in total.items() if count)
    undecided = " Undecided is not the same: measure more repeats." if total.get(UNDECIDED) else ""
    return f"{what}: no regression of severity {document['settings']['severity']}; numbers of all requests: {counted or 'none'}.{undecided}"


def row_text(row: dict[str, Any]) -> str:
    """Return the name of a compared number."""
    title = TITLES[row["metric"]]
    return title if row["family"] == "total" else f"{title} of {row['of']}"


def change_size(row: dict[str, Any]) -> float:
    """Return how large a known change is, in either direction: as a logarithm, or as a share."""
    change = float(row["change"])
    return abs(math.log(change) if row["scale"] == "ratio" else change)


def change_text(row: dict[str, Any]) -> str:
    """Return the change with its interval, relative in percent, of shares in percentage points; a dash where it is not known."""
    if row["change"] is None:
        return "–"
    unit, zero = ("%", 1.0) if row["scale"] == "ratio" else ("points", 0.0)
    change, *ends = (None if row[key] is None else 100 * (row[key] - zero) for key in ("change", "low", "high"))
    return f"{change:+.1f} {unit}" + ("" if None in ends else f" ({ends[0]:+.1f} to {ends[1]:+.1f})")
