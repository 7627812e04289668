# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules local_tools, local_postgres, local_lock and preflight_info."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import postgres, preflight, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError


def test_tools_are_returned_by_name(run_module, monkeypatch, tmp_path):
    def ensure(settings):
        settings.built.append("built")
        return {"path": settings.paths["k6"], "version": settings.mlflow_requirements}

    monkeypatch.setitem(tools.ENSURE, "k6", ensure)
    (tmp_path / "requirements.txt").write_text("mlflow")
    arguments = {"cache_dir": str(tmp_path), "mlflow_requirements": str(tmp_path / "requirements.txt"), "paths": {"k6": "/k6", "prometheus": ""}}
    response = run_module("local_tools", {"names": ["k6"], **arguments})
    assert response["tools"] == {"k6": {"path": "/k6", "version": "mlflow"}}
    assert response["changed"] is True
    assert response["cache_dir"] == str(tmp_path)
    assert set(response["machine"]) == {"kernel", "cores", "memory_bytes"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"names": ["mlflow"]}, "MLflow: no requirements file. Set mlflow_requirements.", id="no requirements"),
        pytest.param(
            {"names": ["mlflow"], "mlflow_requirements": "/no/where"},
            "Requirements /no/where: cannot be read (No such file or directory). Name an existing file.",
            id="requirements that are not there",
        ),
    ],
)
def test_tools_that_cannot_be_had_are_a_sentence(run_module, arguments, sentence):
    response = run_module("local_tools", arguments)
    assert (response["failed"], response["msg"]) == (True, sentence)


class Cluster(postgres.Cluster):
    """A database cluster that is created without PostgreSQL."""

    def ensure(self, version):
        if version == "0":
            raise ToolError("PostgreSQL: too old.")
        postgres.write_text(self.pointer, "/nowhere/perfscale\n")
        return {"data_dir": "/nowhere"}, True


@pytest.fixture(name="cluster")
def fixture_cluster(run_module, monkeypatch, tmp_path):
    """Call local_postgres on one state directory."""
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.modules.local_postgres.Cluster", Cluster)

    def call(state, check=False, version="15.1"):
        return run_module("local_postgres", {"state": state, "state_dir": str(tmp_path), "bin_dir": "/bin", "version": version}, check)

    return call


def test_a_cluster_is_created_and_deleted(cluster, tmp_path):
    planned = cluster("present", check=True)
    assert (planned["changed"], planned["cluster"]) == (True, None)
    assert not (tmp_path / "postgres.location").exists()
    assert cluster("present")["cluster"] == {"data_dir": "/nowhere"}
    assert cluster("absent", check=True)["changed"] is True
    assert cluster("absent")["changed"] is True
    assert cluster("absent")["changed"] is False


def test_a_cluster_that_cannot_be_created_is_reported_in_a_sentence(cluster):
    assert cluster("present", version="0")["msg"] == "PostgreSQL: too old."


def test_the_lock_is_held_and_released(run_module, tmp_path):
    arguments = {"state_dir": str(tmp_path), "run_id": "run-1"}
    assert run_module("local_lock", arguments, check=True)["changed"] is True
    assert run_module("local_lock", arguments)["changed"] is True
    assert run_module("local_lock", arguments)["changed"] is False
    assert run_module("local_lock", {**arguments, "state": "released"})["changed"] is True


def test_a_lock_of_another_is_a_sentence(run_module, monkeypatch, tmp_path):
    run_module("local_lock", {"state_dir": str(tmp_path), "run_id": "run-1"})
    monkeypatch.setattr(handles, "controller", lambda: {"pid": 1, "start_time": 0.0})
    response = run_module("local_lock", {"state_dir": str(tmp_path), "run_id": "run-2"})
    assert response["msg"].startswith(f"Local stack {tmp_path}: in use by run run-1")


def test_preflight_names_every_problem_at_once(run_module, monkeypatch, tmp_path):
    monkeypatch.setattr(preflight, "program_problems", lambda _wanted: (["k6: missing."], {}))
    monkeypatch.setattr(preflight, "server_problems", lambda _server: (["MLflow: no."], {}))
    monkeypatch.setattr(preflight, "prometheus_problems", lambda _server: ["Prometheus: no."])
    monkeypatch.setattr(preflight, "stack_problems", lambda _path: ["Local stack: in use."])
    response = run_module(
        "preflight_info",
        {
            "packages": ["json"],
            "results_dir": "/proc/results",
            "state_dir": str(tmp_path),
            "settings": {"db_backend": "mysql", "profiles_dir": str(tmp_path)},
            "programs": {"names": ["prometheus"]},
            "mlflow": {"url": "http://m", "token": "secret"},
            "prometheus": {"url": "http://p"},
        },
    )
    assert [problem.split(" ")[0].rstrip(":") for problem in response["problems"]] == ["Database", "Results", "Local", "k6", "MLflow", "Prometheus"]
    assert response["changed"] is False
    assert "secret" not in str(response)


def test_preflight_looks_only_at_what_it_is_given(run_module):
    assert run_module("preflight_info", {})["problems"] == []


def test_preflight_names_a_window_that_is_too_short_for_the_samples(run_module):
    response = run_module("preflight_info", {"window": {"seconds": 5, "scrape_interval_s": 15}})
    assert [problem.split(":")[0] for problem in response["problems"]] == ["Window of 5 s"]
    assert run_module("preflight_info", {"window": {"seconds": 60, "scrape_interval_s": 1}})["problems"] == []


def test_preflight_stops_at_missing_packages(run_module):
    response = run_module("preflight_info", {"packages": ["no_such_package"], "results_dir": "/proc/results"})
    assert [problem.split(":")[0] for problem in response["problems"]] == ["Python packages no_such_package"]
