# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether tenants hold a data set, counted through MLflow's API: which are complete, missing or partial, and where counts differ.

Only objects that prefill wrote are counted (tag `perfscale.data_set`), so those that a load created do not matter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import parse_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError, MlflowUnexpected, reading
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import expected_counts, shape_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import (
    DEFAULT,
    list_workspaces,
    tenant_names,
)

API = "/api/2.0/mlflow"
PAGE = 1000  # the largest page of registered-models/search
_PAGES = 1000  # a million items; a server that never comes to an end is none
TAG_DATA_SET = "perfscale.data_set"
TAG_ITEM = "perfscale.item"
TAG_PROMPT = "mlflow.prompt.is_prompt"
_OURS = f"tags.`{TAG_DATA_SET}` = '{{digest}}'"
_ANY_DATA_SET = f"tags.`{TAG_DATA_SET}` != ''"
_PROMPTS = f"tags.`{TAG_PROMPT}` = 'true'"

SAMPLE = 20
SHOWN = 8
DEPTHS = ("digest", "sample", "counts", "full")


def sampled(numbers: list[int], seed: int, size: int = SAMPLE) -> list[int]:
    """Return all numbers up to `size`, else that many of them, chosen by the seed, in their order."""
    if len(numbers) <= size:
        return list(numbers)
    return sorted(random.Random(seed).sample(sorted(numbers), size))


def compare(tenant: str, expected: Mapping[str, int], found: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return one {tenant, what, expected, found} per number that differs from the expected one."""
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
    """Return how far the tenants hold the data set of `shape`.

    Depth `digest` counts in a sample of 20 tenants, `sample` reads all their details too and looks whether every tenant is listed; `counts` counts in
    all; `full` also reads all details of a sample of 20.
    Returns {digest, shape, checked, complete[], missing[], partial[], incomplete_numbers[], shortfalls[], counts{},
    list_workspaces[], foreign_workspaces[], surplus_runs, verified, message}: names, except
    the numbers; counts are sums over the checked tenants. Raises MlflowError.
    """
    digest = shape_digest(shape)
    visible = sorted(list_workspaces(client))
    present = set(visible)
    sample = sampled(numbers, seed)
    deep = set(sample) if depth in ("sample", "full") else set()
    unlisted = [number for number in numbers if f"{prefix}{number}" not in present] if depth == "sample" else []
    chosen = sorted({*sample, *unlisted}) if depth in ("digest", "sample") else numbers

    def read(number: int) -> dict[str, int]:
        name = f"{prefix}{number}"
        if name not in present:
            return {}
        # An empty data set marks nothing: of an empty tenant no other data set may be found either.
        return TenantReader(client, name, digest if any(shape.values()) else "").counts(full=number in deep)

    result: dict[str, Any] = {"complete": [], "missing": [], "partial": []}
    shortfalls: list[dict[str, Any]] = []
    incomplete: list[int] = []
    totals: dict[str, int] = {}
    surplus = 0
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
    """Return one sentence that names the first shortfalls, or that there are none."""
    if not shortfalls:
        return f"Data set {digest}: complete in {checked} checked tenants."
    named = ", ".join(f"{short['tenant']} {short['what']} {short['found']} of {short['expected']}" for short in shortfalls[:SHOWN])
    more = f" and {len(shortfalls) - SHOWN} more" if len(shortfalls) > SHOWN else ""
    return f"Data set {digest}: {incomplete} of {checked} checked tenants differ: {named}{more}."


class TenantReader:
    """Counts the data set named by `digest`, or every one when it is empty, in one workspace."""

    def __init__(self, client: MlflowClient, workspace: str, digest: str) -> None:
        """Send nothing yet."""
        self._client = client
        self._workspace = workspace
        self._filter = _OURS.format(digest=digest) if digest else _ANY_DATA_SET

    def counts(self, full: bool = False) -> dict[str, int]:
        """Return {experiments, runs, metrics, params, prompts, prompt_versions, surplus_runs}.

        All are zero for a workspace that does not exist. A run counts when it is FINISHED; one that exists twice under
        the same perfscale.item counts once, the other as surplus. `full` looks up prompt_versions (prompts with a
        version) one by one and adds artifacts (listed per run) and readable_artifacts (1 when one was downloaded and
        is JSON). Raises MlflowError.
        """
        with reading(self._client.url, f"a search in workspace {self._workspace}"):
            return self._counts(full)

    def _counts(self, full: bool) -> dict[str, int]:
        experiments = [experiment["experiment_id"] for experiment in self._post("experiments/search", "experiments", filter=self._filter)]
        every_run = list(self._post("runs/search", "runs", experiment_ids=experiments, filter=self._filter)) if experiments else []
        runs = _distinct(run for run in every_run if run["info"]["status"] == "FINISHED")
        prompts = {
            model["name"]: len(model.get("latest_versions", []))
            for model in self._get("registered-models/search", "registered_models", filter=f"{_PROMPTS} AND {self._filter}")
        }
        found = {
            "experiments": len(experiments),
            "runs": len(runs),
            "metrics": sum(len(run["data"].get("metrics", [])) for run in runs),
            "params": sum(len(run["data"].get("params", [])) for run in runs),
            "prompts": len(prompts),
            "prompt_versions": sum(1 for versions in prompts.values() if versions),
            "surplus_runs": len(every_run) - len(runs),
        }
        if full:
            found |= self._deep_counts(runs, set(prompts))
        return found

    def _deep_counts(self, runs: list[dict[str, Any]], prompts: set[str]) -> dict[str, int]:
        versions = {model["name"] for model in self._get("model-versions/search", "model_versions", filter=_PROMPTS)} if prompts else set()
        listed = [(run["info"], file["path"]) for run in runs for file in self._artifacts(run["info"]["run_id"])]
        return {
            "prompt_versions": len(versions & prompts),
            "artifacts": len(listed),
            "readable_artifacts": int(any(self._readable(info, path) for info, path in listed[:1])),
        }

    def _artifacts(self, run_id: str) -> list[dict[str, Any]]:
        found = self._client.document("GET", f"{API}/artifacts/list", workspace=self._workspace, query={"run_id": run_id})
        return [file for file in found.get("files", []) if not file.get("is_dir") and file.get("file_size", 0) > 0]

    def _readable(self, info: dict[str, Any], path: str) -> bool:
        address = f"/api/2.0/mlflow-artifacts/artifacts/{info['experiment_id']}/{info['run_id']}/artifacts/{quote(str(path))}"
        response = self._client.request("GET", address, workspace=self._workspace)
        try:
            return response.status == 200 and bool(parse_json(response.data))
        except ValueError:
            return False

    def _post(self, endpoint: str, key: str, **body: Any) -> Iterator[dict[str, Any]]:
        return self._pages("POST", "body", endpoint, key, body)

    def _get(self, endpoint: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        return self._pages("GET", "query", endpoint, key, query)

    def _pages(self, method: str, where: str, endpoint: str, key: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token = None
        for _number in range(_PAGES):
            page = {**arguments, "max_results": PAGE, **({"page_token": token} if token else {})}
            try:
                found = self._client.document(method, f"{API}/{endpoint}", workspace=self._workspace, **{where: page})
            except MlflowError as error:
                if error.status == 404:  # the workspace does not exist, hence holds nothing
                    return
                raise
            yield from found.get(key, [])
            token = found.get("next_page_token")
            if not token:
                return
        raise MlflowUnexpected(f"MLflow {self._client.url}: {endpoint} has more than {_PAGES} pages. Check the server, or use another tenant_prefix.")


def _distinct(runs: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one run per experiment and perfscale.item, the one with the most in it."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        item = next((tag["value"] for tag in run["data"].get("tags", []) if tag["key"] == TAG_ITEM), run["info"]["run_id"])
        key = (run["info"]["experiment_id"], item)
        if key not in best or _size(run) > _size(best[key]):
            best[key] = run
    return list(best.values())


def _size(run: dict[str, Any]) -> int:
    return len(run["data"].get("metrics", [])) + len(run["data"].get("params", []))
