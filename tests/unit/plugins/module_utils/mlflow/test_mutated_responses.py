# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server answers, a client of MLflow ends with a result or with a sentence."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import TenantReader
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError, MlflowUnexpected
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import read_server_info
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import list_workspaces
from fakes.fake_http_server import FakeHttpServer, Reply
from fakes.mutated_responses import mutations

RUN = {
    "info": {"run_id": "r", "experiment_id": "1", "status": "FINISHED"},
    "data": {"metrics": [{"key": "m"}], "params": [{"key": "p"}], "tags": [{"key": "perfscale.item", "value": "1"}]},
}
DOCUMENTS = {
    "server-info": {"workspaces_enabled": True, "store_type": "SqlStore"},
    "workspaces": {"workspaces": [{"name": "t-1", "description": "d"}]},
    "experiments/search": {"experiments": [{"experiment_id": "1"}]},
    "runs/search": {"runs": [RUN]},
    "registered-models/search": {"registered_models": [{"name": "m", "latest_versions": [{"version": "1"}]}]},
    "model-versions/search": {"model_versions": [{"name": "m"}]},
    "artifacts/list": {"files": [{"path": "a.json", "file_size": 9}]},
    "artifacts/a.json": {"text": "x"},
}


class Server(FakeHttpServer):
    """Gives one endpoint the body of a test, all others a good one."""

    def __init__(self):
        super().__init__(self._respond)
        self.endpoint, self.body = "", b""

    def _respond(self, request):
        path = urlsplit(request.path).path
        if path in ("/health", "/version"):
            return Reply(200, b"OK" if path == "/health" else b"3.17.2")
        endpoint = next((name for name in DOCUMENTS if path.endswith(f"/{name}")), None)
        if endpoint is None:
            return Reply(404)
        return Reply(200, self.body if endpoint == self.endpoint else json.dumps(DOCUMENTS[endpoint]).encode(), {"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.mark.parametrize("endpoint", DOCUMENTS)
def test_no_answer_ends_in_a_raw_exception(server, endpoint):
    client = MlflowClient(server.url, timeout_s=5)
    server.endpoint = endpoint
    named = 0
    for body in mutations(DOCUMENTS[endpoint]):
        server.body = body
        try:
            if endpoint in ("server-info", "workspaces"):
                read_server_info(client)
                list_workspaces(client)
            else:
                TenantReader(client, "t-1", "d").counts(full=True)
        except MlflowError as error:
            named += 1
            assert str(error).startswith(f"MLflow {server.url}: ")
            assert "\x1b" not in str(error)
    # What an artifact holds is for its owner.
    assert named > 10 or endpoint == "artifacts/a.json"
    client.close()


def test_pages_come_to_an_end(server, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set._PAGES", 7)
    server.endpoint, server.body = "experiments/search", b'{"experiments": [], "next_page_token": "again"}'
    with pytest.raises(MlflowUnexpected, match="experiments/search has more than 7 pages"):
        TenantReader(MlflowClient(server.url), "t-1", "d").counts()
