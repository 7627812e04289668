# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role local_stack with real programs: start, start again, describe, stop, and what happens in between."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import state_lock
from fakes.local_stacks import Stack, fetch

DESCRIBE = Path(__file__).with_name("describe.yml")
RECAP = "changed=0"


def groups(target: dict) -> dict[str, int]:
    """Return the running processes of each group in Prometheus, once it has scraped."""
    deadline = time.monotonic() + 30
    while True:
        response = fetch(f"{target['prometheus']['url']}/api/v1/query", query="namedprocess_namegroup_num_procs")
        found = {item["metric"]["groupname"]: int(item["value"][1]) for item in response["data"]["result"]}
        if found.get("mlflow") or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def workspaces(target: dict) -> set[str]:
    response = fetch(f"{target['mlflow']['url']}/api/3.0/mlflow/workspaces")
    return {item["name"] for item in response["workspaces"]}


def create(target: dict, name: str) -> None:
    """Create a workspace."""
    request = urllib.request.Request(
        f"{target['mlflow']['url']}/api/3.0/mlflow/workspaces", json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 201


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_the_life_of_a_stack(create_stack: Callable[[str], Stack], backend: str) -> None:
    stack = create_stack("suite")
    target = stack.deploy(local_stack_db_backend=backend)
    assert target["database"]["kind"] == target["factors"]["db_backend"] == backend
    assert target["mlflow"]["version"].startswith("3.17.")
    assert "default" in workspaces(target)
    assert {address for address, _port in stack.listening()} == {"127.0.0.1"}
    expected = {"mlflow", "prometheus"} | ({"postgresql"} if backend == "postgres" else set())
    seen = groups(target)
    assert {name for name, count in seen.items() if count} == expected
    # A server and its worker: children belong to their parent's group.
    assert seen["mlflow"] == 2

    # No password and no token in what all users can read.
    if backend == "postgres":
        password = (stack.state / "postgres.pgpass").read_text().strip().rsplit(":", 1)[1]
        for process in stack.processes():
            assert password not in " ".join([*process.cmdline(), *process.environ().values()])
        assert (stack.state / "postgres.pgpass").stat().st_mode & 0o777 == 0o600

    before = {process.pid for process in stack.processes()}
    again = stack.play("deploy", local_stack_db_backend=backend)
    assert (again.returncode, RECAP in again.stdout) == (0, True)
    assert stack.target() == target
    described = stack.play(DESCRIBE, local_stack_db_backend=backend)
    assert (described.returncode, RECAP in described.stdout) == (0, True)
    assert stack.target() == target
    assert {process.pid for process in stack.processes()} == before

    assert stack.play("teardown").returncode == 0
    assert stack.processes() == []
    described = stack.play(DESCRIBE, local_stack_db_backend=backend)
    assert described.returncode != 0
    assert "not running" in described.stdout


def test_a_killed_mlflow_comes_back_with_its_data(create_stack: Callable[[str], Stack]) -> None:
    stack = create_stack("suite")
    target = stack.deploy(metrics_profile="none")
    assert target["prometheus"]["url"] is None
    create(target, "kept")
    psutil.Process(json.loads((stack.state / "mlflow.json").read_text())["pid"]).send_signal(signal.SIGKILL)
    target = stack.deploy(metrics_profile="none")
    assert "kept" in workspaces(target)
    target = stack.deploy(metrics_profile="none", local_stack_reset=True)
    assert "kept" not in workspaces(target)


def test_two_stacks_run_side_by_side(create_stack: Callable[[str], Stack]) -> None:
    first, second = create_stack("first"), create_stack("first2")
    targets = [stack.deploy() for stack in (first, second)]
    assert targets[0]["mlflow"]["url"] != targets[1]["mlflow"]["url"]
    assert [groups(target)["mlflow"] for target in targets] == [2, 2]
    assert second.play("teardown").returncode == 0
    assert second.processes() == []
    assert "default" in workspaces(targets[0])


def test_a_state_directory_in_use_is_an_error(create_stack: Callable[[str], Stack]) -> None:
    stack = create_stack("suite")
    stack.state.mkdir(parents=True)
    # In a process of its own the holder is the one that runs this test.
    state_lock.acquire(stack.state, "other")
    try:
        for playbook in ("deploy", "teardown", "preflight"):
            rejected = stack.play(playbook)
            assert rejected.returncode != 0
            assert f"in use by run other (ansible-playbook with pid {os.getpid()} on" in " ".join(rejected.stdout.split())
    finally:
        state_lock.release(stack.state)
    assert stack.processes() == []


def test_an_mlflow_that_is_already_there_is_left_alone(create_stack: Callable[[str], Stack]) -> None:
    server, stack = create_stack("server"), create_stack("suite")
    url = server.deploy(metrics_profile="none")["mlflow"]["url"]
    stack.env = {"MLFLOW_URL": url, "MLFLOW_TOKEN": "very-secret"}
    rejected = stack.play("deploy")
    assert rejected.returncode != 0
    assert "or choose metrics_profile=none" in " ".join(rejected.stdout.split())
    target = stack.deploy(metrics_profile="none")
    assert (target["mlflow"]["url"], target["mlflow"]["owned"], target["database"]["kind"]) == (url, False, "unknown")
    token_file = Path(target["mlflow"]["token_file"])
    assert token_file.read_text() == "very-secret"
    assert token_file.stat().st_mode & 0o777 == 0o600
    holders = [path for path in stack.directory.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]
    assert holders == [token_file]
    assert stack.processes() == []
    assert stack.play("teardown").returncode == 0
    assert not token_file.exists()
    assert "default" in workspaces({"mlflow": {"url": url}})


def test_preflight_names_every_problem(create_stack: Callable[[str], Stack]) -> None:
    stack = create_stack("suite")
    stack.env = {"MLFLOW_URL": "http://127.0.0.1:1", "DB_BACKEND": "mysql"}
    rejected = stack.play("preflight", results_dir="/proc/results", test_matrix_tenants="ten", metrics_profile="nine", local_stack_k6="/bin/false")
    assert rejected.returncode != 0
    problem = " ".join(rejected.stdout.split())
    for part in ("Axis tenants", "Database mysql", "no Prometheus is given", "Metrics profile nine", "Results directory /proc/results", "k6 /bin/false"):
        assert part in problem
    assert "MLflow http://127.0.0.1:1: not reachable" in problem
    assert not (stack.directory / ".perfscale").exists()
