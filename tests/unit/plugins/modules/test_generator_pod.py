# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module generator_pod by its arguments; the functions behind it are fakes."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.modules import generator_pod

PRESENT = {"name": "k6-benchmark", "namespace": "bench", "run_id": "run-1", "scripts": "/nowhere", "image": "k6:1"}


@pytest.fixture(name="replace")
def fixture_replace(monkeypatch):
    """Put a fake in the place of a function that the module calls, and return its calls; the cluster is a text."""

    def replace(function_name, result):
        calls = []

        def function(*arguments):
            calls.append(arguments)
            return result

        monkeypatch.setattr(generator_pod, function_name, function)
        monkeypatch.setattr(generator_pod, "cluster_from", lambda _params: "the cluster")
        return calls

    return replace


@pytest.mark.parametrize("check", [True, False])
def test_a_pod_is_created(run_module, replace, check):
    calls = replace("present", {"changed": True, "generator": {"kind": "pod"}})
    answer = run_module("generator_pod", {**PRESENT, "avoid": [{"name": "mlflow", "labels": {"app": "mlflow"}}], "timeout": 5}, check)
    assert (answer["changed"], answer["generator"], answer["stays"]) == (True, {"kind": "pod"}, [])
    cluster, settings, _scripts, secrets, dry_run = calls[0]
    assert (cluster, settings["timeout_s"], secrets, dry_run) == ("the cluster", 5, {}, check)
    assert settings["avoid"] == [{"name": "mlflow", "labels": {"app": "mlflow"}, "namespaces": []}]


def test_a_pod_is_deleted(run_module, replace):
    replace("absent", {"changed": True, "stays": [{"object": "Pod", "why": "w"}]})
    answer = run_module("generator_pod", {**PRESENT, "state": "absent"})
    assert (answer["changed"], answer["generator"], answer["stays"]) == (True, {}, [{"object": "Pod", "why": "w"}])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"scripts": None}, "scripts", id="no-scripts"),
        pytest.param({"token_file": "/nowhere/token"}, "File /nowhere/token: not readable", id="no-token"),
    ],
)
def test_what_is_missing_is_named(run_module, replace, arguments, words):
    replace("present", {})
    given = {name: value for name, value in {**PRESENT, **arguments}.items() if value is not None}
    answer = run_module("generator_pod", given)
    assert answer["failed"]
    assert words in answer["msg"]
