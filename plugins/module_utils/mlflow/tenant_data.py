# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one tenant holds of a data set, counted through MLflow's API.

Only what prefill wrote is counted (tag `perfscale.data_set`), so rows that a load left behind do not disturb.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

API = "/api/2.0/mlflow"
PAGE = 1000  # the largest page registered-models/search gives
TAG_DATA_SET = "perfscale.data_set"
TAG_ITEM = "perfscale.item"
TAG_PROMPT = "mlflow.prompt.is_prompt"
_OURS = f"tags.`{TAG_DATA_SET}` = '{{digest}}'"
_PROMPTS = f"tags.`{TAG_PROMPT}` = 'true'"


class TenantReader:
    """Counts the data set named by `digest` in one workspace."""

    def __init__(self, client: MlflowClient, workspace: str, digest: str) -> None:
        """Sends nothing yet."""
        self._client = client
        self._workspace = workspace
        self._digest = digest
        self._filter = _OURS.format(digest=digest)

    def counts(self, full: bool = False) -> dict[str, int]:
        """Returns {experiments, runs, metrics, params, prompts, prompt_versions, surplus_runs}.

        All are zero for a workspace that does not exist. A run counts when it is FINISHED; one that exists twice under
        the same perfscale.item counts once, the other as surplus. `full` looks up prompt_versions (prompts with a
        version) one by one and adds artifacts (listed per run) and readable_artifacts (1 when one was downloaded and
        is JSON). Raises MlflowError.
        """
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
        address = f"/api/2.0/mlflow-artifacts/artifacts/{info['experiment_id']}/{info['run_id']}/artifacts/{path}"
        status, _content_type, data = self._client.request("GET", address, workspace=self._workspace)
        try:
            return status == 200 and bool(json.loads(data))
        except ValueError:
            return False

    def _post(self, endpoint: str, key: str, **body: Any) -> Iterator[dict[str, Any]]:
        return self._pages("POST", "body", endpoint, key, body)

    def _get(self, endpoint: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        return self._pages("GET", "query", endpoint, key, query)

    def _pages(self, method: str, where: str, endpoint: str, key: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token = None
        while True:
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


def _distinct(runs: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns one run per experiment and perfscale.item, the one with the most in it."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        item = next((tag["value"] for tag in run["data"].get("tags", []) if tag["key"] == TAG_ITEM), run["info"]["run_id"])
        key = (run["info"]["experiment_id"], item)
        if key not in best or _size(run) > _size(best[key]):
            best[key] = run
    return list(best.values())


def _size(run: dict[str, Any]) -> int:
    return len(run["data"].get("metrics", [])) + len(run["data"].get("params", []))
