# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of prefill and journeys by operation, and a plausible response of MLflow to each, without any state.

Content types are those of MLflow 3.14 to 3.17 (mlflow/server/handlers.py and artifact_router.py): JSON of the API, an uploaded artifact's response
has neither body nor type, a downloaded JSON file is text/plain.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
PROMPT_TAGS = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
JSON_TYPE = "application/json"
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action='/login' method='post'></form></body></html>"


class Answer(NamedTuple):
    """A response: its content type, none when empty, and its body."""

    content_type: str
    body: bytes


def _experiment(number: int) -> dict:
    return {"experiment_id": str(number), "name": f"Exp-{number}", "artifact_location": "mlflow-artifacts:/1",
            "lifecycle_stage": "active", "last_update_time": 1, "creation_time": 1}


def _run(number: int) -> dict:
    info = {"run_id": f"{number:032x}", "run_uuid": f"{number:032x}", "experiment_id": "1", "status": "FINISHED",
            "artifact_uri": "mlflow-artifacts:/1/run/artifacts", "lifecycle_stage": "active", "start_time": 1}
    metrics = [{"key": f"metric_{i}", "value": 0.5, "timestamp": 1, "step": 0} for i in range(3)]
    return {"info": info, "data": {"metrics": metrics, "params": [{"key": f"param_{i}", "value": "1"} for i in range(5)]}}


def _prompt(number: int) -> dict:
    name = f"Exp-{number}-Prompt-{number:032x}"
    return {"name": name, "creation_timestamp": 1, "tags": PROMPT_TAGS,
            "latest_versions": [{"name": name, "version": "1", "source": "dummy-source", "tags": PROMPT_TAGS * 4}]}


_ROUTES = {
    ("POST", "experiments/create"): ("create_experiment", {"experiment_id": "1"}),
    ("POST", "experiments/search"): ("search_experiments", {"experiments": [_experiment(i) for i in range(25)]}),
    ("GET", "experiments/get"): ("get_experiment", {"experiment": _experiment(1)}),
    ("POST", "registered-models/create"): ("create_prompt", {"registered_model": _prompt(1)}),
    ("GET", "registered-models/search"): ("search_prompts", {"registered_models": [_prompt(i) for i in range(50)]}),
    ("POST", "model-versions/create"): ("create_prompt_version", {"model_version": {"name": "Prompt", "version": "1"}}),
    ("POST", "runs/create"): ("create_run", {"run": _run(1)}),
    ("GET", "runs/get"): ("get_run", {"run": _run(1)}),
    ("POST", "runs/search"): ("search_runs", {"runs": [_run(i) for i in range(10)]}),
    ("POST", "runs/log-metric"): ("log_metric", {}),
    ("POST", "runs/log-parameter"): ("log_parameter", {}),
    ("POST", "runs/log-batch"): ("log_batch", {}),
    ("POST", "runs/update"): ("update_run_status", {"run_info": _run(1)["info"]}),
    ("POST", "runs/delete"): ("delete_run", {}),
    ("GET", "artifacts/list"): ("list_artifacts", {"files": [{"path": f"artifact_{i}.json", "file_size": 10240} for i in (1, 2)]}),
}
_BY_ROUTE = {(method, API + path): (operation, Answer(JSON_TYPE, json.dumps(content).encode())) for (method, path), (operation, content) in _ROUTES.items()}
_BY_ROUTE["GET", "/api/3.0/mlflow/workspaces"] = (
    "list_workspaces",
    Answer(JSON_TYPE, json.dumps({"workspaces": [{"name": f"tenant-{i}"} for i in range(1, 11)]}).encode()),
)
_BY_ROUTE["GET", "/api/3.0/mlflow/server-info"] = ("", Answer(JSON_TYPE, json.dumps({"store_type": "SqlStore", "workspaces_enabled": True}).encode()))
_BY_ROUTE["GET", "/health"] = ("", Answer("text/plain", b"OK"))
_BY_ROUTE["GET", "/version"] = ("", Answer("text/plain", b"3.17.2"))
_FILE = Answer("text/plain", json.dumps({"lines": ["x" * 100] * 100}).encode())
_STORED = Answer("", b"")
_UNKNOWN = ("", Answer(JSON_TYPE, b"{}"))
# What a search for the objects of a data set has in its filter: there are none.
_OF_A_DATA_SET = b"perfscale.data_set"


def own_answer(operation: str, tenant: str, asked: bytes, leaks: bool) -> tuple[int, Answer] | None:
    """Return status and response of a server whose tenants have an experiment each, named after them; None where that makes no difference.

    A tenant that asks for that of another one gets a 404 or no runs, unless the server `leaks`.
    """
    if operation == "search_experiments":
        return 200, _json({"experiments": [{**_experiment(1), "experiment_id": f"{tenant}.1"}]})
    named = re.search(rb"(tenant-\d+\.1)", asked) if operation in ("get_experiment", "search_runs") else None
    if named is None:
        return None
    experiment = named[1].decode()
    is_given = leaks or experiment == f"{tenant}.1"
    if operation == "get_experiment":
        return (200, _json({"experiment": {**_experiment(1), "experiment_id": experiment}})) if is_given else (404, _json({}))
    run = _run(1)
    return 200, _json({"runs": [{**run, "info": {**run["info"], "experiment_id": experiment}}] if is_given else []})


def _json(content: dict) -> Answer:
    return Answer(JSON_TYPE, json.dumps(content).encode())


def answer_to(method: str, path: str, asked: bytes = b"") -> tuple[str, Answer]:
    """Return the operation of a request, empty for any other, and the response of a healthy server.

    `path` is without the query; `asked` has query and body.
    """
    if path.endswith("/search") and _OF_A_DATA_SET in asked:
        return _UNKNOWN
    if path.startswith(ARTIFACTS):
        return ("fetch_artifact", _FILE) if method == "GET" else ("log_artifact", _STORED)
    return _BY_ROUTE.get((method, path), _UNKNOWN)
