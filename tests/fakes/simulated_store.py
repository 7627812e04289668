# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated MLflow keeps, so that tenants can be created, filled and verified: workspaces, and the objects of a data set.

Only what carries the tag `perfscale.data_set` is kept; requests about anything else, such as those of a load, have no answer here.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from fakes.mlflow_answers import API, ARTIFACTS, JSON_TYPE, Answer

VERSION = "3.17.2"
MARK = "perfscale.data_set"
_NAME = re.compile(r"name LIKE '([^']*)%'")
_TAG = re.compile(r"tags\.`([^`]+)` (!?=) '([^']*)'")
_WORKSPACES = "/api/3.0/mlflow/workspaces"


class Store:
    """The workspaces of a server and their data sets."""

    def __init__(self) -> None:
        self._workspaces = {"default": ""}
        self._experiments: list[dict[str, Any]] = []
        self._runs: dict[str, dict[str, Any]] = {}
        self._prompts: list[dict[str, Any]] = []
        self._files: dict[str, dict[str, bytes]] = {}
        self._numbers = itertools.count(1000)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, tenant: str) -> Answer | None:
        """Return the answer to a request about the server, its workspaces or a data set, None for any other."""
        if path in ("/health", "/version"):
            return Answer("text/html; charset=utf-8", b"OK" if path == "/health" else VERSION.encode())
        if path == "/api/3.0/mlflow/server-info":
            return _json({"store_type": "SqlStore", "workspaces_enabled": True})
        if path.startswith(ARTIFACTS):
            return self._artifact(method, path.removeprefix(ARTIFACTS), body)
        given = {**query, **(json.loads(body) if body and method == "POST" else {})}
        if path == _WORKSPACES:
            return self._workspace(given if method == "POST" else {})
        operation = getattr(self, f"_{path.removeprefix(API).replace('/', '_').replace('-', '_')}", None)
        found = operation(given, tenant) if operation and path.startswith(API) else None
        return None if found is None else _json(found)

    def _workspace(self, created: dict[str, str]) -> Answer:
        if created:
            self._workspaces[created["name"]] = created["description"]
        return _json({"workspaces": [{"name": name, "description": text} for name, text in self._workspaces.items()]})

    def _experiments_create(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        if not _is_marked(given):
            return None
        number = str(next(self._numbers))
        self._experiments.append({"tenant": tenant, "experiment_id": number, "lifecycle_stage": "active", "name": given["name"], "tags": given["tags"]})
        return {"experiment_id": number}

    def _experiments_search(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        return {"experiments": _found(self._experiments, given["filter"], tenant)} if given.get("filter") else None

    def _runs_create(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        if not _is_marked(given):
            return None
        info = {"run_id": f"{next(self._numbers):032d}", "experiment_id": given["experiment_id"], "status": "RUNNING", "lifecycle_stage": "active"}
        self._runs[info["run_id"]] = {"tenant": tenant, "info": info, "tags": given["tags"], "data": {"tags": given["tags"]}}
        return {"run": self._runs[info["run_id"]]}

    def _runs_log_batch(self, given: dict[str, Any], _tenant: str) -> dict[str, Any] | None:
        run = self._runs.get(given["run_id"])
        if run:
            run["data"] |= {"metrics": given["metrics"], "params": given["params"]}
        return run and {}

    def _runs_update(self, given: dict[str, Any], _tenant: str) -> dict[str, Any] | None:
        run = self._runs.get(given["run_id"])
        if run:
            run["info"]["status"] = given["status"]
        return run and {"run_info": run["info"]}

    def _runs_search(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        if not given.get("filter"):
            return None
        runs = _found(self._runs.values(), given["filter"], tenant)
        return {"runs": [run for run in runs if run["info"]["experiment_id"] in given["experiment_ids"]]}

    def _registered_models_create(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        if not _is_marked(given):
            return None
        self._prompts.append({"tenant": tenant, "name": given["name"], "tags": given["tags"], "latest_versions": []})
        return {"registered_model": self._prompts[-1]}

    def _registered_models_search(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        is_about_ours = MARK in given.get("filter", "") or "LIKE" in given.get("filter", "")
        return {"registered_models": _found(self._prompts, given["filter"], tenant)} if is_about_ours else None

    def _model_versions_create(self, given: dict[str, Any], tenant: str) -> dict[str, Any] | None:
        prompt = next((prompt for prompt in self._prompts if (prompt["tenant"], prompt["name"]) == (tenant, given["name"])), None)
        if not prompt:
            return None
        prompt["latest_versions"].append({"name": given["name"], "version": str(len(prompt["latest_versions"]) + 1)})
        return {"model_version": prompt["latest_versions"][-1]}

    def _model_versions_search(self, _given: dict[str, Any], tenant: str) -> dict[str, Any]:
        return {"model_versions": [version for prompt in self._prompts if prompt["tenant"] == tenant for version in prompt["latest_versions"]]}

    def _artifacts_list(self, given: dict[str, Any], _tenant: str) -> dict[str, Any] | None:
        if given["run_id"] not in self._runs:
            return None
        files = self._files.get(given["run_id"], {})
        return {"files": [{"path": name, "is_dir": False, "file_size": len(content)} for name, content in files.items()]}

    def _artifact(self, method: str, path: str, body: bytes) -> Answer | None:
        _experiment, run, _folder, name = path.split("/", 3)
        if run not in self._runs:
            return None
        if method == "PUT":
            self._files.setdefault(run, {})[name] = body
            return Answer("", b"")
        return Answer("text/plain", self._files[run][name])


def _json(content: dict[str, Any]) -> Answer:
    return Answer(JSON_TYPE, json.dumps(content).encode())


def _is_marked(given: dict[str, Any]) -> bool:
    return any(tag["key"] == MARK for tag in given.get("tags") or [])


def _found(objects: Any, condition: str, tenant: str) -> list[dict[str, Any]]:
    """Return the objects of a tenant that a filter selects: the beginning of the name, and tags that are equal to a value or not."""
    begins = [match[1] for match in _NAME.finditer(condition)]
    wanted = _TAG.findall(condition)
    return [
        one for one in objects
        if one["tenant"] == tenant and all(one["name"].startswith(text) for text in begins)
        and all((_tags(one).get(key) == value) == (sign == "=") for key, sign, value in wanted)
    ]


def _tags(one: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in one["tags"]}
