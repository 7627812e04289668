# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that preflight finds at real servers, and at fakes for what a real MLflow without accounts cannot be."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import mlflow_problems, read_server
from fakes.fake_mlflow import FakeMlflow


def test_a_good_server_has_no_problems(mlflow):
    assert mlflow_problems(mlflow.url) == []
    found = read_server(mlflow.url)
    assert found["version"].startswith("3.")
    assert found["workspaces_enabled"]
    assert found["store_type"] == "SqlStore"


def test_a_server_without_workspaces_is_named(mlflow_without_workspaces):
    (problem,) = mlflow_problems(mlflow_without_workspaces.url)
    assert problem.startswith(f"MLflow {mlflow_without_workspaces.url}: workspaces are disabled on the server. Start it with")
    assert not read_server(mlflow_without_workspaces.url)["workspaces_enabled"]


def test_a_wrong_path_prefix_is_named(mlflow):
    (problem,) = mlflow_problems(mlflow.url + "/mlflow")
    assert "HTTP 404" in problem
    assert "Give the base URL of an MLflow server" in problem


def test_a_wrong_token_is_named_at_a_server_with_accounts(tmp_path):
    token = tmp_path / "token"
    token.write_text("wrong")
    with FakeMlflow() as running:
        running.token = "right"
        (problem,) = mlflow_problems(running.url, token_file=str(token))
    assert "token rejected (HTTP 401" in problem
    assert "wrong" not in problem


def test_a_login_page_is_named_at_a_gateway():
    with FakeMlflow() as running:
        for path in ("/health", "/api/3.0/mlflow/server-info"):
            running.scripted[("GET", path)] = [(200, b"<html>Log in</html>")]
        (problem,) = mlflow_problems(running.url)
    assert "an HTML page" in problem


def test_a_server_that_is_down_is_named():
    with FakeMlflow() as running:
        url = running.url
    (problem,) = mlflow_problems(url)
    assert problem == f"MLflow {url}: not reachable (connection refused). Start the server, or correct the URL."
