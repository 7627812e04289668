# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: the ordered cells of a matrix, their ids, their file names and the digest that distinguishes two plans."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import CHOICE_DEFAULTS, MatrixError, settings_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration

# Bytes on disk: k6's raw CSV and one stored sample of a request, and the most requests of one virtual user in a second
# (about 50 requests of 10 ms between pauses of 1 s); together an upper estimate, not a promise.
RAW_BYTES_PER_REQUEST = 2400
SAMPLE_BYTES_PER_REQUEST = 15
REQUESTS_PER_USER_SECOND = 30
REQUESTS_PER_JOURNEY = 58
# What a tenant choice may have beside its distribution.
_KEYS_OF = {"uniform": (), "zipf": ("exponent",), "noisy": ("factor",)}
# More cells than anybody measures; their plan would fill the memory.
CELLS_MAX = 10_000
# Seconds of prefill for one run, prompt or value of a tenant: measured with the default data set (3.6 s per tenant on two busy cores).
PREFILL_S_PER_ITEM = 0.008
# Seconds for one clone of a tenant with that data set: 0.09 on two cores that were busy with other work.
PREFILL_S_PER_CLONE = 0.1


def expand(matrix: dict[str, Any], overrides: dict[str, Any] | None = None, context: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the plan of a matrix: {schema_version, name, digest, settings, cells, estimate}.

    `context` has the other values that distinguish two runs (data set shape, target); it is part of the digest.
    Repeats are blocks: each visits every point once, in declared order or shuffled by the seed, so that whatever drifts over hours meets all points
    alike. Where every cell starts from restored data, a shuffled block has all tenant levels. Without, the data of earlier levels stays, so levels ascend.
    A cell has a data set of its own where the plan varies that: by the axis experiments, or by the number of tenants that share the rows.
    Raises MatrixError (a ValueError) with every problem of the matrix.
    """
    settings = settings_of(matrix, overrides)
    settings["context"] = context or {}
    if search_of({"settings": settings}):
        settings["load"] = {**settings["load"], "stop_when": settings["context"]["capacity"]["stop_when"]}
    planned = settings["repeats"] * len(settings["tenants"]) * (len(settings["concurrency"]) + len(settings["rate"]))
    planned *= len(_popularities(settings)) * len(_experiments(settings))
    if planned > CELLS_MAX:
        raise MatrixError([f"Matrix {settings['name']}: {planned} cells are too many, at most {CELLS_MAX} are allowed. Give fewer values or repeats."])
    _check_rows(settings)
    cells = [cell for block in _blocks(settings) for cell in block]
    for index, cell in enumerate(cells, start=1):
        cell["index"] = index
    return {
        "schema_version": 1,
        "name": settings["name"],
        "digest": digest_of({"settings": settings, "cells": cells}),
        "settings": settings,
        "cells": cells,
        "estimate": _estimate(cells),
    }


def search_of(plan: dict[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of the search for a capacity that a plan is of; None for a matrix. The plan of a search grows by a cell for each probe.

    Settings of another structure, of a damaged record, are those of no search.
    """
    found: Any = plan
    for name in ("settings", "context", "capacity"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def probe_cell(plan: dict[str, Any], load: float) -> dict[str, Any]:
    """Return the cell of a search that probes a load, the next one of its plan."""
    settings, search = plan["settings"], plan["settings"]["context"]["capacity"]
    values = {"tenants": settings["tenants"][0], "rate": (settings["rate"] or [None])[0], "concurrency": (settings["concurrency"] or [None])[0]}
    values[search["axis"]] = load if search["axis"] == "rate" else round(load)
    [profile] = settings["profile"]
    repeat = 1 + sum(1 for cell in plan["cells"] if all(cell[axis] == value for axis, value in values.items()))
    index = len(plan["cells"]) + 1
    cell = _cell(settings, values["tenants"], profile, values["concurrency" if profile == "closed" else "rate"], repeat, experiments=_experiments(settings)[0])
    # Probes of one load are independent, so their random choices differ, as those of all other probes do.
    return {**cell, "index": index, "seed": settings["seed"] * 1000 + index}


def summary(plan: dict[str, Any], clones: bool = False) -> str:
    """Return the cost of a plan as one sentence: cells, load, prefill of all tenants (none where the context has no data set) and disk.

    With `clones` one tenant is filled through REST and the others are clones of it.
    """
    estimate = plan["estimate"]
    # Levels of one data set are built on each other, those of another one are filled from the beginning.
    tenants: dict[str, int] = {}
    for cell in plan["cells"]:
        shape = json.dumps(cell.get("data_set") or plan["settings"]["context"].get("data_set") or {})
        tenants[shape] = max(cell["tenants"], tenants.get(shape, 0))
    prefill_s = sum(_fill_s(count, json.loads(shape), clones) for shape, count in tenants.items())
    cells = len(plan["cells"])
    return (
        f"Plan {plan['name']}: {cells} cell{'' if cells == 1 else 's'}, {format_duration(estimate['load_s'])} of load, "
        f"about {format_duration(prefill_s)} of prefill, at most {_format_bytes(estimate['disk_bytes_max'])} on disk."
    )


def cell_file_names(cell: dict[str, Any]) -> dict[str, str]:
    """Return the names of a cell's summary and metrics file, which contain its tenants and its concurrency or rate.

    The names of closed cells are those of the legacy suite: `summary_tenants-1_concurrency_5.json`, `metrics_1_concurrency_5.csv`.
    """
    pressure = f"concurrency_{cell['concurrency']}" if cell["profile"] == "closed" else f"rate_{cell['rate']}"
    return {"summary": f"summary_tenants-{cell['tenants']}_{pressure}.json", "metrics": f"metrics_{cell['tenants']}_{pressure}.csv"}


def digest_of(document: Any) -> str:
    """Return the first 12 hex digits of the SHA-256 of the document's canonical JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Return `key: old -> new` for each setting in which two plans' settings differ."""
    found: list[str] = []
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {json.dumps(before)} -> {json.dumps(after)}")
    return found


def _blocks(settings: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the cells in the order of the plan, in blocks of one repeat."""
    repeats = range(1, settings["repeats"] + 1)
    levels = settings["tenants"] if settings["state_reset"] != "never" else sorted(settings["tenants"])
    if settings["order"] == "declared":
        return [_points(settings, tenants, repeat) for tenants in levels for repeat in repeats]
    if settings["state_reset"] != "cell":
        return [_shuffled(_points(settings, tenants, repeat), f"{settings['seed']}-{tenants}-{repeat}") for tenants in levels for repeat in repeats]
    return [
        _shuffled([cell for tenants in levels for cell in _points(settings, tenants, repeat)], f"{settings['seed']}-{repeat}") for repeat in repeats
    ]


def _shuffled(cells: list[dict[str, Any]], seed: str) -> list[dict[str, Any]]:
    return random.Random(seed).sample(cells, len(cells))


def _points(settings: dict[str, Any], tenants: int, repeat: int) -> list[dict[str, Any]]:
    """Return the cells of one tenant count and repeat in declared order."""
    axes = {"closed": "concurrency", "open": "rate"}
    return [
        _cell(settings, tenants, profile, value, repeat, popularity, experiments)
        for experiments in _experiments(settings)
        for profile in settings["profile"]
        for value in settings[axes[profile]]
        for popularity in _popularities(settings)
    ]


def _popularities(settings: dict[str, Any]) -> list[str]:
    """Return the values of the axis popularity, an empty one where the plan does not vary it."""
    return settings.get("popularity") or [""]


def _experiments(settings: dict[str, Any]) -> list[int]:
    """Return the values of the axis experiments, 0 where the plan does not vary it."""
    return settings.get("experiments") or [0]


def _check_rows(settings: dict[str, Any]) -> None:
    """Raise MatrixError where the data sets of the cells cannot be made, or not follow one another."""
    search = search_of({"settings": settings})
    if search and search["axis"] == "tenants" and "rows" in settings:
        raise MatrixError(["Rows total: not possible in a search over tenants. Search over the rate or the concurrency, or leave rows at per_tenant."])
    data_sets = [_data_set(settings, tenants, experiments) for tenants in settings["tenants"] for experiments in _experiments(settings)]
    if settings["state_reset"] == "never" and any(data_set != data_sets[0] for data_set in data_sets):
        remedy = "Use a database whose state can be restored, or one data set for each run."
        raise MatrixError([f"Data set: the cells of this plan need several, and state_reset is never. {remedy}"])


def _data_set(settings: dict[str, Any], tenants: int, experiments: int) -> dict[str, Any]:
    """Return {data_set: its shape} of a cell whose plan varies the data set, else {}. Raises MatrixError if the tenants cannot have equal parts."""
    shape = settings["context"].get("data_set") or {}
    if not experiments and "rows" not in settings:
        return {}
    experiments = experiments or shape.get("experiments_per_tenant", 0)
    if "rows" in settings:
        if experiments % tenants or not experiments:
            whole = tenants * max(1, -(-experiments // tenants))
            problem = f"Rows total: {experiments} experiments cannot be spread equally over {tenants} tenants."
            raise MatrixError([f"{problem} Give experiments as {whole}, for example."])
        experiments //= tenants
    return {"data_set": {**shape, "experiments_per_tenant": experiments}}


def _cell(settings: dict[str, Any], tenants: int, profile: str, value: float, repeat: int, popularity: str = "", experiments: int = 0) -> dict[str, Any]:
    pressure = f"c{value}" if profile == "closed" else f"q{value:g}"
    varied = {name: choice for name, choice in (("popularity", popularity), ("experiments", experiments)) if choice}
    axis = "".join(f"-{name}-{choice}" for name, choice in varied.items())
    load = _with_popularity(settings, popularity)
    value = _with_noise(value, tenants, load["tenant_choice"], profile)
    return {
        "id": f"t{tenants}-{pressure}{axis}-r{repeat}",
        "tenants": tenants,
        "concurrency": value if profile == "closed" else None,
        "rate": None if profile == "closed" else value,
        "profile": profile,
        "repeat": repeat,
        "warmup_s": settings["warmup_s"],
        "duration_s": settings["duration_s"],
        # Repeats of one cell use different seeds, cells of one repeat the same one: the random choices are part of the repeat.
        "seed": settings["seed"] * 1000 + repeat,
        "training_share": load["training_share"],
        "think_time_s": load["think_time_s"],
        "load": load,
        **_data_set(settings, tenants, experiments),
        # What distinguishes this cell from another one of the same tenants and the same load.
        **({"factors": varied} if varied else {}),
    }


def _with_popularity(settings: dict[str, Any], popularity: str) -> dict[str, Any]:
    """Return the load with the tenant choice of a value of the axis popularity.

    `apart` is the number of the tenant that is summarized apart from the others: the noisy one, in the cells without noise too, which are compared with.
    """
    load: dict[str, Any] = settings["load"]
    choice = load["tenant_choice"]
    if popularity:
        given = {key: value for key, value in choice.items() if key in _KEYS_OF[popularity]}
        choice = {"distribution": popularity, **CHOICE_DEFAULTS.get(popularity, {}), **given}
    is_noisy = "noisy" in (*_popularities(settings), choice["distribution"])
    return {**load, "tenant_choice": choice, "apart": 1} if is_noisy else {**load, "tenant_choice": choice}


def _with_noise(value: float, tenants: int, choice: dict[str, Any], profile: str) -> float:
    """Return the load over all tenants: the noisy one adds to what the others have, which stays."""
    if choice["distribution"] != "noisy":
        return value
    total: float = value * (tenants - 1 + choice["factor"]) / tenants
    return max(1, round(total)) if profile == "closed" else round(total, 6)


def _estimate(cells: list[dict[str, Any]]) -> dict[str, float]:
    requests = [_requests(cell) for cell in cells]
    return {
        "load_s": sum(cell["warmup_s"] + cell["duration_s"] for cell in cells),
        "disk_bytes_max": round(max(requests) * RAW_BYTES_PER_REQUEST + sum(requests) * SAMPLE_BYTES_PER_REQUEST),
    }


def _fill_s(tenants: int, shape: dict[str, Any], clones: bool) -> float:
    """Return seconds for tenants of a data set's shape, of which all but one may be clones."""
    if clones:
        return _fill_s(1, shape, False) + PREFILL_S_PER_CLONE * (tenants - 1)
    run = 1 + sum(shape.get(name, 0) for name in ("metrics_per_run", "params_per_run", "artifacts_per_run"))
    experiment = 1 + shape.get("runs_per_experiment", 0) * run + 2 * shape.get("prompts_per_experiment", 0)
    return float(tenants * shape.get("experiments_per_tenant", 0) * experiment * PREFILL_S_PER_ITEM)


def _format_bytes(count: float) -> str:
    """Return a short text in decimal units, such as `27 MB` or `1.2 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _requests(cell: dict[str, Any]) -> float:
    per_second = cell["rate"] * REQUESTS_PER_JOURNEY if cell["profile"] == "open" else cell["concurrency"] * REQUESTS_PER_USER_SECOND
    return float(per_second * (cell["warmup_s"] + cell["duration_s"]))
