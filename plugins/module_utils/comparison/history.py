# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""history.json: the numbers of many runs of one deployment as series, and the change points in them.

Change points are those of Apache Otava (Fleming and others, Hunter: Using change point detection to hunt for performance regressions, ICPE 2023,
https://doi.org/10.1145/3578244.3583719), with p = 0.0001, and with the noise floor of a series as the least change.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.conditions import point_key, required_alike
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import Settings, compare_sides
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import UNITS, Metric, values_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.sides import ComparisonError, Run, Side, read_run, run_directory
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import SEVERITIES
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run as run_command
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import is_run_folder
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import REPEATS_NEEDED, Noise, geometric_mean

P_VALUE = 0.0001
WINDOW = 50
RUNS_NEEDED = 10
"""Below so many values a series has not enough history: so few show a change of 10 % only where they hardly vary."""
LEAST_CHANGE = 0.01
"""No smaller change matters, however little a number varies."""
REGRESSION, IMPROVEMENT, ACKNOWLEDGED, RECOVERED = "regression", "improvement", "acknowledged", "recovered"
_LIMIT_S = 600
# The ratio of the standard deviation of normal values to their median absolute deviation.
_MAD = 1.4826
# Factors that a history watches, and those that are conditions.
_WATCHED = "_version"
_CONDITIONS = ("profile", "metrics_profile")
# Runs in Otava's environment, which has nothing of ours: series and least changes in, positions of the first value after each change out.
_PROGRAM = """
import json, sys
from otava.analysis import compute_change_points
wanted = json.load(sys.stdin)
found = [
    sorted(int(point.index) for point in compute_change_points(values, wanted["window"], wanted["p"], least)[0])
    for values, least in wanted["series"]
]
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class Series:
    """A number of one point over the runs that have it, the oldest first; a value is the geometric mean of the repeats of a run."""

    point: str
    metric: Metric
    name: str
    runs: Sequence[Run]
    values: Sequence[float]

    @property
    def is_long(self) -> bool:
        """Whether there are enough values, all of which have a logarithm, to look for change points."""
        return len(self.values) >= RUNS_NEEDED and min(self.values) > 0

    @property
    def noise_floor(self) -> float:
        """The smallest relative change between the means of three runs that is beyond noise, at least LEAST_CHANGE.

        The deviation is that of the differences between neighbours, by their median, which a step in the series hardly changes.
        """
        steps = [abs(math.log(other / one)) for one, other in itertools.pairwise(self.values)]
        deviation = _MAD * statistics.median(steps) / math.sqrt(2)
        return max(LEAST_CHANGE, Noise(deviation, len(steps)).floor(REPEATS_NEEDED))


def change_points(python: str, series: Sequence[tuple[Sequence[float], float]]) -> list[list[int]]:
    """Return the position of the first value after each change, for each series of (values, least relative change).

    `python` is the interpreter of the environment that has apache-otava. Raises ToolError.
    """
    wanted = {"window": WINDOW, "p": P_VALUE, "series": [[list(values), least] for values, least in series]}
    remedy = "Remove its environment from the cache and start again, or name one that has apache-otava with comparison_otava_python"
    command = [python, "-I", "-W", "ignore", "-c", _PROGRAM]
    found: list[list[int]] = json.loads(run_command(command, "Apache Otava", remedy, text=json.dumps(wanted), limit_s=_LIMIT_S))
    return found


def read_history(wanted: Sequence[str], results: Path | str, schema_dir: Path | str) -> tuple[list[Run], list[str]]:
    """Return the runs of a history by their start, and a sentence for what is left out.

    `wanted` are runs, as directories, ids or `latest`, and directories of runs. Raises ComparisonError when no run can be read.
    """
    directories: dict[Path, None] = {}
    left_out: list[str] = []
    for text in wanted:
        directory = run_directory(text, results)
        if is_run_folder(directory):
            directories[directory.resolve()] = None
        elif directory.is_dir():
            directories.update((child.resolve(), None) for child in sorted(directory.iterdir()) if child.is_dir() and is_run_folder(child))
        else:
            left_out.append(f"Run {text}: is not there ({directory}). It is left out; correct comparison_history or results_dir.")
    runs: dict[str, Run] = {}
    for directory in directories:
        run, sentences = read_run(directory, schema_dir)
        left_out += sentences
        if run is not None and run.records:
            # A copy of a run, such as one in a sink, is the same run.
            runs.setdefault(run.run_id, run)
        elif run is not None:
            left_out.append(f"Run {run.run_id}: has no valid cell. It is left out.")
    if not runs:
        raise ComparisonError(f"History of {', '.join(map(str, wanted))}: no run with a valid cell. {' '.join(left_out[:1])} Give a directory of runs.")
    return sorted(runs.values(), key=lambda run: (run.started, run.run_id)), left_out


def comparable(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Return the runs that measured the same deployment alike as the newest one, whose versions may differ, and a sentence for each other one."""
    newest, kept, left_out = runs[-1], [], []
    for run in runs:
        why = _why_apart(run, newest)
        if why:
            left_out.append(f"Run {run.run_id}: {why} the newest run {newest.run_id}. It is left out of the history.")
        else:
            kept.append(run)
    return kept, left_out


def _why_apart(run: Run, newest: Run) -> str:
    known = {point_key(record): record for record in newest.records}
    pairs = [(record, known[point_key(record)]) for record in run.records if point_key(record) in known]
    if not pairs:
        return "has no cell in common with"
    keys: dict[str, None] = {}
    for record, other in pairs:
        one, two = required_alike(run, record), required_alike(newest, other)
        factors = [spec["spec"].get("factors") or {} for spec in (record, other)]
        keys.update((key, None) for key in one if None not in (one[key], two.get(key)) and one[key] != two[key])
        keys.update(
            (key, None) for key in factors[0]
            if not key.endswith(_WATCHED) and key not in _CONDITIONS and key in factors[1] and factors[0][key] != factors[1][key]
        )  # fmt: skip
    return f"differs in {', '.join(keys)} from" if keys else ""


def series_of(runs: Sequence[Run], metrics: Sequence[Metric]) -> list[Series]:
    """Return the series of every ratio of every point of the newest run, in the order of its cells."""
    wanted = [metric for metric in metrics if metric.is_ratio]
    found: dict[tuple[tuple[Any, ...], Metric, str], list[tuple[Run, list[float]]]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for run in runs:
        for record in run.records:
            for (metric, name), value in values_of(record, wanted).items():
                key = (point_key(record), metric, name)
                names.setdefault(key[0], str(record["id"]).rpartition("-r")[0])
                values = found.setdefault(key, [])
                if not values or values[-1][0] is not run:
                    values.append((run, []))
                values[-1][1].append(value.value)
    newest = {point_key(record) for record in runs[-1].records}
    return [
        Series(names[point], metric, name, [run for run, _values in values], [geometric_mean(mine) for _run, mine in values])
        for (point, metric, name), values in found.items() if point in newest
    ]  # fmt: skip


def known_changes(document: Any, schema_dir: Path | str) -> list[dict[str, Any]]:
    """Return the entries of a file of acknowledged changes. Raises ValueError with one sentence."""
    check(document, "known_changes", schema_dir)
    found: list[dict[str, Any]] = document["changes"]
    return found


def history_of(
    wanted: Sequence[str], results: Path | str, schema_dir: Path | str, settings: Settings, known: Sequence[Mapping[str, Any]], get_python: Callable[[], str]
) -> dict[str, Any]:
    """Return the content of history.json. Raises ComparisonError, and ToolError where Otava does not work.

    `known` are acknowledged changes; `get_python` returns the interpreter that has Otava, and is called only where a series has enough history.
    With fewer than RUNS_NEEDED runs no change point is looked for, and the newest run is compared with the last good one before it.
    """
    every, left_out = read_history(wanted, results, schema_dir)
    runs, apart = comparable(every)
    warnings = [*left_out, *apart]
    series = series_of(runs, settings.metrics)
    long = [(one.values, one.noise_floor) for one in series if one.is_long]
    places = iter(change_points(get_python(), long) if long else [])
    recorded = [_recorded(one, next(places) if one.is_long else None, known, settings.severity) for one in series]
    warnings += _unused(known, recorded)
    fallback = None
    if len(runs) < RUNS_NEEDED:
        warnings.append(f"Not enough history: only {len(runs)} runs can be compared, change points need {RUNS_NEEDED}.")
        fallback = _fallback(runs, settings, warnings)
    opened = [(one, change) for one in recorded for change in one["changes"] if change["state"] == REGRESSION and change["decides"]]
    failed = opened or (fallback and fallback["status"] == "failed")
    return {
        "status": "failed" if failed else "passed", "sentence": _sentence(runs, opened, fallback), "runs": [run.run_id for run in runs],
        "settings": {"p": P_VALUE, "window": WINDOW, "runs_needed": RUNS_NEEDED, "severity": settings.severity},
        "series": recorded, "fallback": fallback, "warnings": warnings,
    }  # fmt: skip


def _recorded(one: Series, places: Sequence[int] | None, known: Sequence[Mapping[str, Any]], severity: str) -> dict[str, Any]:
    metric = one.metric
    note = "" if places is not None else f"{len(one.values)} runs have it, change points need {RUNS_NEEDED}, above 0."
    return {
        "point": one.point, "family": metric.family, "of": one.name, "metric": metric.metric, "unit": UNITS[metric.metric], "better": metric.better,
        "severity": metric.severity, "note": note, "noise_floor": one.noise_floor if places is not None else None,
        "values": [{"run_id": run.run_id, "started": run.started, "value": value} for run, value in zip(one.runs, one.values, strict=True)],
        "changes": _changes(one, places or [], known, SEVERITIES.index(metric.severity) <= SEVERITIES.index(severity)),
    }  # fmt: skip


def _changes(one: Series, places: Sequence[int], known: Sequence[Mapping[str, Any]], decides: bool) -> list[dict[str, Any]]:
    ends = [0, *places, len(one.values)]
    means = [geometric_mean(one.values[start:end]) for start, end in itertools.pairwise(ends)]
    sign = 1 if one.metric.better == "lower" else -1
    found = []
    for order, (place, before, after) in enumerate(zip(places, means, means[1:], strict=False)):
        change: dict[str, Any] = {"run_id": one.runs[place].run_id, "before": before, "after": after, "decides": decides, "reason": ""}
        is_worse = sign * math.log(after / before) > 0
        acknowledged = next((entry for entry in known if _is_about(entry, one, place)), None)
        if acknowledged:
            change |= {"state": ACKNOWLEDGED, "reason": acknowledged["reason"]}
        elif not is_worse:
            change["state"] = IMPROVEMENT
        else:
            # A later change may have brought the number back to where it was.
            is_back = len(means) > order + 2 and sign * math.log(means[-1] / before) <= math.log1p(one.noise_floor)
            change["state"] = RECOVERED if is_back else REGRESSION
        found.append(change)
    return found


def _is_about(entry: Mapping[str, Any], one: Series, place: int) -> bool:
    """Return whether an acknowledged change is this one: a change point may be found one run early or late."""
    near = [run.run_id for run in one.runs[max(0, place - 1) : place + 2]]
    wanted = {"point": one.point, "of": one.name, "metric": one.metric.metric}
    return entry["run_id"] in near and all(entry.get(key, value) == value for key, value in wanted.items())


def _unused(known: Sequence[Mapping[str, Any]], recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    reasons = {change["reason"] for one in recorded for change in one["changes"]}
    return [
        f"Acknowledged change at run {entry['run_id']} ({entry['reason']}): no such change was found. Remove it, or correct its run_id."
        for entry in known
        if entry["reason"] not in reasons
    ]


def _fallback(runs: Sequence[Run], settings: Settings, warnings: list[str]) -> dict[str, Any] | None:
    """Return the comparison of the newest run with the last good one before it, or None with a warning."""
    newest = runs[-1]
    good = next((run for run in reversed(runs[:-1]) if run.is_good), None)
    if good is None:
        warnings.append(f"No good run before {newest.run_id}, so it is compared with none: run the suite until a run passes.")
        return None
    return compare_sides(Side("baseline", [good]), Side("candidate", [newest]), settings._replace(factor="", accept=[]))


def _sentence(runs: Sequence[Run], opened: Sequence[tuple[dict[str, Any], dict[str, Any]]], fallback: Mapping[str, Any] | None) -> str:
    if opened:
        first = {change["run_id"] for _one, change in opened}
        return f"{len(opened)} numbers are worse since an earlier run and not acknowledged, first seen in {', '.join(sorted(first))}."
    if fallback:
        return f"Not enough history ({len(runs)} runs); compared with the last good run: {fallback['sentence']}"
    if len(runs) < RUNS_NEEDED:
        return f"Not enough history ({len(runs)} runs), and no earlier good run to compare with."
    return f"No change for the worse in {len(runs)} runs that is not acknowledged or recovered."
