# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether tenants hold a data set: which are complete, missing or partial, and what falls short where."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import expected_counts, shape_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tenant_data import TenantReader
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import (
    DEFAULT,
    in_parallel,
    list_workspaces,
    tenant_names,
)

SAMPLE = 20
SHOWN = 8
DEPTHS = ("digest", "counts", "full")


def sampled(numbers: list[int], seed: int, size: int = SAMPLE) -> list[int]:
    """Returns all numbers up to `size`, else that many of them, chosen by the seed, in their order."""
    if len(numbers) <= size:
        return list(numbers)
    return sorted(random.Random(seed).sample(sorted(numbers), size))


def compare(tenant: str, expected: Mapping[str, int], found: Mapping[str, int]) -> list[dict[str, Any]]:
    """Returns one {tenant, what, expected, found} per number that differs from the expected one."""
    return [
        {"tenant": tenant, "what": what, "expected": number, "found": found[what]}
        for what, number in expected.items()
        if found[what] != number
    ]


def inspect(
    client: MlflowClient,
    prefix: str,
    numbers: list[int],
    shape: Mapping[str, int],
    depth: str,
    seed: int = 42,
    parallelism: int = 8,
) -> dict[str, Any]:
    """Returns how far the tenants hold the data set of `shape`.

    Depth `digest` counts in a sample of 20 tenants; `counts` in all; `full` reads a sample of 20 to the bottom besides.
    Returns {digest, shape, checked, complete[], missing[], partial[], incomplete_numbers[], shortfalls[], counts{},
    list_workspaces[], foreign_workspaces[], surplus_runs, verified, message}: names, except
    the numbers; counts are sums over the checked tenants. Raises MlflowError.
    """
    digest = shape_digest(shape)
    visible = sorted(list_workspaces(client))
    deep = set(sampled(numbers, seed)) if depth == "full" else set()
    chosen = sampled(numbers, seed) if depth == "digest" else numbers
    present = set(visible)

    def read(number: int) -> dict[str, int]:
        name = f"{prefix}{number}"
        if name not in present:
            return {}
        return TenantReader(client, name, digest).counts(full=number in deep)

    result: dict[str, Any] = {"complete": [], "missing": [], "partial": []}
    shortfalls, incomplete, totals, surplus = [], [], {}, 0
    for name, number, found in zip(tenant_names(prefix, chosen), chosen, in_parallel(read, chosen, parallelism), strict=True):
        expected = expected_counts(shape, full=number in deep)
        differences = compare(name, expected, found) if name in present else compare(name, {"workspace": 1}, {"workspace": 0})
        held = any(found.get(what) for what in expected)
        result["complete" if not differences else "partial" if held else "missing"].append(name)
        incomplete += [number] if differences else []
        shortfalls += differences
        surplus += found.get("surplus_runs", 0)
        for what in expected:
            totals[what] = totals.get(what, 0) + found.get(what, 0)
    return {
        "digest": digest,
        "shape": dict(shape),
        "checked": len(chosen),
        **result,
        "incomplete_numbers": incomplete,
        "shortfalls": shortfalls,
        "counts": totals,
        "list_workspaces": visible,
        "foreign_workspaces": sorted(present - set(tenant_names(prefix, numbers)) - {DEFAULT}),
        "surplus_runs": surplus,
        "verified": bool(chosen) and not shortfalls,
        "message": message(digest, len(chosen), len(incomplete), shortfalls),
    }


def message(digest: str, checked: int, incomplete: int, shortfalls: list[dict[str, Any]]) -> str:
    """Returns one sentence that names the first shortfalls, or says that there are none."""
    if not shortfalls:
        return f"Data set {digest}: complete in {checked} checked tenants."
    named = ", ".join(f"{short['tenant']} {short['what']} {short['found']} of {short['expected']}" for short in shortfalls[:SHOWN])
    more = f" and {len(shortfalls) - SHOWN} more" if len(shortfalls) > SHOWN else ""
    return f"Data set {digest}: {incomplete} of {checked} checked tenants differ: {named}{more}."
