# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MLflow client without a server: tenants that hold a whole data set."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import Response
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape, shape_digest

SHAPE = check_shape({"experiments_per_tenant": 2, "runs_per_experiment": 2, "metrics_per_run": 1, "params_per_run": 2, "prompts_per_experiment": 1})


class FakeTenants:
    """Responds in pages of two; a test damages the tenants."""

    url = "http://mlflow.example"

    def __init__(self, names, shape=SHAPE):
        self.shape = shape
        self.digest = shape_digest(shape)
        self.calls = []
        self.tenants = {name: self._tenant() for name in names}

    def _tenant(self):
        shape = self.shape
        experiments = [str(number) for number in range(1, shape["experiments_per_tenant"] + 1)]
        runs = [self.run(experiment, f"run-{number}") for experiment in experiments for number in range(1, shape["runs_per_experiment"] + 1)]
        prompts = [f"prefill-{self.digest}-{experiment}-prompt-1" for experiment in experiments]
        return {
            "experiments": [{"experiment_id": experiment} for experiment in experiments],
            "runs": runs,
            "registered_models": [{"name": name, "latest_versions": [{"version": "1"}]} for name in prompts],
            "model_versions": [{"name": name} for name in prompts] + [{"name": "unmanaged"}],
            "files": {run["info"]["run_id"]: self._files() for run in runs},
            "content": b'{"text": "x"}',
        }

    def run(self, experiment, item, suffix=""):
        return {
            "info": {"run_id": f"{experiment}-{item}{suffix}", "experiment_id": experiment, "status": "FINISHED"},
            "data": {"metrics": [{"key": "metric_1"}], "params": [{"key": "param_1"}, {"key": "param_2"}], "tags": [{"key": "perfscale.item", "value": item}]},
        }

    @staticmethod
    def _files():
        return [{"path": "artifact_1.json", "file_size": 9}, {"path": "artifact_2.json", "file_size": 9}, {"path": "dir", "is_dir": True}]

    def document(self, method, path, workspace=None, query=None, body=None):
        self.calls.append((path, workspace))
        if path.endswith("/workspaces"):
            return {"workspaces": [{"name": name} for name in ["default", "other", *self.tenants]]}
        tenant = self.tenants[workspace]
        if isinstance(tenant, MlflowError):
            raise tenant
        if path.endswith("artifacts/list"):
            return {"files": tenant["files"].get(query["run_id"], [])}
        key = {"experiments": "experiments", "runs": "runs", "registered-models": "registered_models", "model-versions": "model_versions"}[path.split("/")[-2]]
        sent = body if body is not None else query
        assert sent["filter"]
        assert key == "model_versions" or self.digest in sent["filter"]
        start = int(sent.get("page_token", 0))
        more = {"next_page_token": str(start + 2)} if len(tenant[key]) > start + 2 else {}
        return {key: tenant[key][start : start + 2], **more} if tenant[key] else {}

    def request(self, method, path, workspace=None):
        self.calls.append((path, workspace))
        content = self.tenants[workspace]["content"]
        return Response(200 if content is not None else 404, {}, content or b"")
