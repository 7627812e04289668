# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules generator_pod and k6_pod by their arguments; the cluster behind them is a stand-in."""

from __future__ import annotations

import importlib

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_load import PodLost
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

PRESENT = {"name": "k6-benchmark", "namespace": "bench", "run_id": "run-1", "scripts": "/nowhere", "image": "k6:1"}
STARTED = {"directory": "/nowhere/t1-c1-r1", "generator": {"namespace": "bench", "pod": "p"}, "script": "x.js", "schema_directory": "/nowhere"}
ATTEMPT = {"n": 1, "directory": "d", "handle": {}, "started": 1.0, "attached": False}


@pytest.fixture(name="swap")
def fixture_swap(monkeypatch):
    """Puts a function in the place of one that a module calls; the cluster is none."""

    def swap(name, function_name, answer):
        module = importlib.import_module(f"ansible_collections.perfscale.mlflow.plugins.modules.{name}")
        calls = []

        def function(*arguments):
            calls.append(arguments)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(module, function_name, function)
        monkeypatch.setattr(module, "cluster_from", lambda _params: "the cluster")
        return calls

    return swap


@pytest.mark.parametrize("check", [True, False])
def test_generator_pod_is_made(run_module, swap, check):
    calls = swap("generator_pod", "present", {"changed": True, "generator": {"kind": "pod"}})
    answer = run_module("generator_pod", {**PRESENT, "avoid": [{"name": "mlflow", "labels": {"app": "mlflow"}}], "timeout": 5}, check)
    assert (answer["changed"], answer["generator"], answer["stays"]) == (True, {"kind": "pod"}, [])
    cluster, settings, _files, held, dry_run = calls[0]
    assert (cluster, settings["timeout_s"], held, dry_run) == ("the cluster", 5, {}, check)
    assert settings["avoid"] == [{"name": "mlflow", "labels": {"app": "mlflow"}, "namespaces": []}]


def test_generator_pod_is_removed(run_module, swap):
    swap("generator_pod", "absent", {"changed": True, "stays": [{"object": "Pod", "why": "w"}]})
    answer = run_module("generator_pod", {**PRESENT, "state": "absent"})
    assert (answer["changed"], answer["generator"], answer["stays"]) == (True, {}, [{"object": "Pod", "why": "w"}])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"scripts": None}, "scripts", id="no-scripts"),
        pytest.param({"token_file": "/nowhere/token"}, "File /nowhere/token: cannot be read", id="no-token"),
    ],
)
def test_generator_pod_names_what_is_missing(run_module, swap, arguments, words):
    swap("generator_pod", "present", {})
    given = {name: value for name, value in {**PRESENT, **arguments}.items() if value is not None}
    answer = run_module("generator_pod", given)
    assert answer["failed"] and words in answer["msg"]


def test_k6_pod_starts_and_attaches(run_module, swap):
    calls = swap("k6_pod", "start", ATTEMPT)
    assert run_module("k6_pod", STARTED)["changed"]
    assert calls[0][3] == {"generator": STARTED["generator"], "script": "x.js", "ca_file": None, "config_schema": None}
    swap("k6_pod", "start", {**ATTEMPT, "attached": True})
    assert not run_module("k6_pod", STARTED)["changed"]


def test_k6_pod_fetches_and_stops(run_module, swap):
    swap("k6_pod", "fetch", {"files": ["k6.log"], "bytes": 1, "seconds": 0.1})
    assert run_module("k6_pod", {"state": "fetched", "directory": "/nowhere"})["fetched"]["files"] == ["k6.log"]
    swap("k6_pod", "stop", True)
    answer = run_module("k6_pod", {"state": "stopped", "directory": "/nowhere"})
    assert answer["changed"] and answer["attempt"] == {}


@pytest.mark.parametrize(
    ("error", "retry"), [pytest.param(PodLost("Pod a/b: was lost."), True, id="lost"), pytest.param(ClusterError("Pod a/b: busy."), False, id="other")]
)
def test_k6_pod_says_whether_another_pod_may_do(run_module, swap, error, retry):
    swap("k6_pod", "start", error)
    answer = run_module("k6_pod", STARTED)
    assert answer["failed"] and (answer["msg"], answer["retry"]) == (str(error), retry)


def test_k6_pod_in_check_mode_does_nothing(run_module, swap):
    assert swap("k6_pod", "start", ATTEMPT) == []
    assert run_module("k6_pod", STARTED, check=True)["attempt"] == {}
