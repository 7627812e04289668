# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says of real servers, and of stand-ins for what a real MLflow without accounts cannot be."""

from __future__ import annotations

from stand_in_mlflow import StandInMlflow

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.preflight import mlflow_problems, read_server


def test_a_good_server_has_no_problems(mlflow):
    assert mlflow_problems(mlflow.url) == []
    found = read_server(mlflow.url)
    assert found["version"].startswith("3.") and found["workspaces_enabled"] and found["store_type"] == "SqlStore"


def test_a_server_without_workspaces_is_named(mlflow_without_workspaces):
    (problem,) = mlflow_problems(mlflow_without_workspaces.url)
    assert problem.startswith(f"MLflow {mlflow_without_workspaces.url}: workspaces are disabled on the server. Start it with")
    assert not read_server(mlflow_without_workspaces.url)["workspaces_enabled"]


def test_a_wrong_path_prefix_is_named(mlflow):
    (problem,) = mlflow_problems(mlflow.url + "/mlflow")
    assert "HTTP 404" in problem and "Give the base URL of an MLflow server" in problem


def test_a_wrong_token_is_named_by_a_stand_in_with_accounts(tmp_path):
    token = tmp_path / "token"
    token.write_text("wrong")
    with StandInMlflow() as stand_in:
        stand_in.token = "right"
        (problem,) = mlflow_problems(stand_in.url, token_file=str(token))
    assert "refused the token (HTTP 401" in problem and "wrong" not in problem


def test_a_login_page_is_named_by_a_stand_in_for_a_gateway():
    with StandInMlflow() as stand_in:
        stand_in.answers[("GET", "/health")] = [(200, b"<html>Log in</html>")]
        (problem,) = mlflow_problems(stand_in.url)
    assert "an HTML page" in problem


def test_a_server_that_is_down_is_named():
    with StandInMlflow() as stand_in:
        url = stand_in.url
    (problem,) = mlflow_problems(url)
    assert problem == f"MLflow {url}: is not reachable (connection refused). Start the server, or correct the URL."
