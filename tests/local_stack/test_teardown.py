# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown needs no readable results, tries each step, and lists at its end what failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import state_lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from fakes.fake_http_server import FakeHttpServer, Reply
from fakes.local_stacks import Stack
from fakes.record_damage import write_finished_run
from fakes.waiting import wait_until

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: nowhere, cluster: {server: "URL"}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
current-context: nowhere
"""


@pytest.fixture
def stack(create_stack: Callable[[str], Stack]) -> Stack:
    """A stack whose server and load are processes that sleep, and a run whose records are damaged."""
    found = create_stack("suite")
    run = write_finished_run(found.directory / "results" / "run")
    target = run.directory / "target.json"
    target.write_bytes(target.read_bytes()[:100])
    attempt = run.cell_directory("t1-c5-r1") / "attempts" / "2"
    (run.cell_directory("t1-c5-r1") / "state.json").write_text('{"attempt": ')
    for name, directory in (("k6", attempt), ("mlflow", found.state)):
        directory.mkdir(parents=True)
        DetachedProcess(name, str(directory), {"argv": ["sleep", "600"], "env": {}, "chdir": str(directory), "user": None}).start(may_end=True)
    # A program that was started a moment ago has no environment yet, and so no mark.
    wait_until(lambda: len(found.processes()) >= 2, "the processes of the stack")
    return found


def test_everything_is_stopped_however_damaged_the_records_are(stack: Stack) -> None:
    assert stack.play("teardown").returncode == 0
    assert stack.processes() == []


def test_what_failed_is_listed_when_the_rest_is_done(stack: Stack) -> None:
    state_lock.acquire(stack.state, "other")
    try:
        done = stack.play("teardown")
    finally:
        state_lock.release(stack.state)
    assert done.returncode != 0
    output = " ".join(done.stdout.split())
    assert "Teardown: incomplete." in output
    assert f"Acquire the state directory: Local stack {stack.state}: in use by run other" in output
    # The load was stopped, and what another run uses was not touched.
    assert not DetachedProcess("k6", str(stack.directory / "results/run/cells/t1-c5-r1/attempts/2")).running()
    assert DetachedProcess("mlflow", str(stack.state)).running()


def test_each_role_of_a_cluster_is_tried(stack: Stack, tmp_path: Path) -> None:
    with FakeHttpServer(lambda _request: Reply(403, b'{"kind": "Status", "message": "no"}')) as server:
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.replace("URL", server.url))
        stack.env = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
        done = stack.play("teardown", deploy_environment="kubernetes")
    assert done.returncode != 0
    output = " ".join(done.stdout.split())
    for task in ("Delete our MLflow", "Delete our database", "Delete what carries the labels of the run"):
        assert f"{task}: GET " in output, task
