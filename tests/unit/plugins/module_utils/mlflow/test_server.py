# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST, OLDEST, is_supported, mlflow_problems, read_server

INFO = "/api/3.0/mlflow/server-info"


def test_a_usable_server_has_no_problems(server):
    assert mlflow_problems(server.url) == []
    assert read_server(server.url) == {"version": "3.17.2", "workspaces_enabled": True, "store_type": "SqlStore"}
    assert {method for method, _path, _workspace in server.calls} == {"GET"}


def test_names_every_unusable_input_at_once(tmp_path):
    problems = mlflow_problems("nowhere", token_file=str(tmp_path / "token"), ca_file=str(tmp_path / "ca"))
    assert [problem.split(" ")[0] for problem in problems] == ["MLflow", "Token", "CA"]


def test_names_a_server_that_is_down():
    (problem,) = mlflow_problems("http://127.0.0.1:1")
    assert "not reachable (connection refused). Start the server" in problem


def test_names_disabled_workspaces(server):
    server.server_info = {"store_type": "FileStore", "workspaces_enabled": False}
    (problem,) = mlflow_problems(server.url)
    assert "workspaces are disabled on the server. Start it with `mlflow server --enable-workspaces`" in problem


def test_a_server_from_before_workspaces_counts_as_one_without(server):
    server.scripted[("GET", INFO)] = [(404, b"<html>"), (404, b"<html>")]
    assert "workspaces are disabled" in mlflow_problems(server.url)[0]


@pytest.mark.parametrize("content", [None, "wrong"], ids=["no-token", "wrong-token"])
def test_names_a_token_that_is_missing_or_wrong(server, tmp_path, content):
    server.token = "right"
    file = tmp_path / "token"
    file.write_text(content or "unused")
    (problem,) = mlflow_problems(server.url, token_file=str(file) if content else None)
    assert "HTTP 401" in problem
    assert "Put a valid bearer token" in problem


@pytest.mark.parametrize(
    ("health", "info", "part"),
    [
        pytest.param((200, b"<html>Log in</html>"), (404, b""), "GET /health is HTTP 200 with an HTML page starting with 'Log in'", id="health-is-a-page"),
        pytest.param((404, b"<html>"), (404, b"<html>"), "HTTP 404", id="wrong-prefix"),
        pytest.param((200, b"OK"), (200, b"<html>"), "an HTML page", id="info-is-a-page"),
        pytest.param((400, b"{}"), (400, {"error_code": "X", "message": "y"}), "X: y", id="error"),
    ],
)
def test_names_content_that_is_not_mlflows(server, health, info, part):
    server.scripted[("GET", "/health")] = [health]
    server.scripted[("GET", INFO)] = [info]
    assert part in mlflow_problems(server.url)[0]


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404])
def test_a_health_page_that_a_gateway_keeps_is_no_verdict_on_the_api(server, status):
    server.scripted[("GET", "/health")] = [(status, b"<html>private</html>")]
    assert mlflow_problems(server.url) == []


def test_a_server_that_is_ill_is_named(server, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    server.scripted[("GET", "/health")] = [(503, b"<html>no healthy upstream</html>")] * 9
    assert "GET /health is HTTP 503 with an HTML page starting with 'no healthy upstream'" in mlflow_problems(server.url)[0]


def test_a_hidden_version_is_none(server):
    server.scripted[("GET", "/version")] = [(200, b"<html>")]
    assert read_server(server.url)["version"] is None


def test_read_server_raises(server):
    server.scripted[("GET", INFO)] = [(400, {"error_code": "X", "message": "y"})]
    with pytest.raises(MlflowError, match="X: y"):
        read_server(server.url)


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        pytest.param("3.9.0", False, id="before-workspaces"),
        pytest.param(OLDEST, True, id="oldest"),
        pytest.param("3.14.0+build1", True, id="local-build"),
        pytest.param(NEWEST, True, id="newest-line"),
        pytest.param("3.17.9", True, id="patch-of-the-newest"),
        pytest.param("3.18.0", False, id="untested"),
        pytest.param("4.0.0rc1", False, id="next"),
    ],
)
def test_supported_versions(version, supported):
    assert is_supported(version) is supported


def test_names_a_version_that_is_not_supported(server):
    server.scripted[("GET", "/version")] = [(200, b"3.18.1")]
    assert mlflow_problems(server.url) == [f"MLflow {server.url}: version 3.18.1, which is not supported. Use a release from 3.10.0 to 3.17."]
