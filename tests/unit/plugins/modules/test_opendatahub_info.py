# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module opendatahub_info: what it returns, and the sentence when what is expected does not come."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import OperatorState
from ansible_collections.perfscale.mlflow.plugins.modules import opendatahub_info
from fakes.opendatahub_objects import dsc, dsci, mlflow_operator, state, subscription

FAILING = OperatorState(True, "odh", subscription("", conditions=[{"type": "InstallPlanFailed", "status": "True", "message": "no rights"}]))


@pytest.fixture(name="info")
def fixture_info(run_module, monkeypatch):
    """Run the module with a fake `read`."""

    def run(seen, **options):
        def fake_read(_cluster, _wanted):
            if isinstance(seen, Exception):
                raise seen
            return seen

        monkeypatch.setattr(opendatahub_info, "read", fake_read)
        monkeypatch.setattr(opendatahub_info, "cluster_from", lambda _options: None)
        return run_module("opendatahub_info", {"timeout_s": 0.05, "pause_s": 0.01, **options})

    return run


def test_one_look(info):
    result = info(state(dscs=[dsc("Removed", "removed")]), run_id="run-7")
    found = result["opendatahub"]
    assert not result["changed"]
    assert found["ready"]
    assert found["obstacles"] == []
    assert found["seconds"] == 0
    assert found["adoption"]["metadata"]["annotations"]["perfscale.mlflow/mlflowoperator-before"] == "Removed"
    assert found["removal"]["left"] == []


@pytest.mark.parametrize("expect", ["operator", "install_plan", "dsci", "dsci_present", "mlflow_operator"])
def test_what_is_there_is_not_waited_for(info, expect):
    assert info(state(), expect=expect)["opendatahub"]["ready"]


@pytest.mark.parametrize(
    ("seen", "expect", "sentence"),
    [
        pytest.param(state(dscis=[dsci(0)]), "dsci", "still waiting for DSCInitialization default-dsci to be Ready (phase Progressing)", id="stuck"),
        pytest.param(state(), "mlflow_operator_absent", "MLflowOperator default-mlflowoperator to go", id="stays"),
        pytest.param(state(operator=FAILING), "install_plan", "failed. Subscription opendatahub-operator: InstallPlanFailed=True (no rights)", id="early"),
    ],
)
def test_time_and_failures_name_what_was_seen(info, seen, expect, sentence):
    result = info(seen, expect=expect)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "Last seen: " in result["msg"]
    assert not info(seen, expect=expect, required=False)["opendatahub"]["ready"]


def test_what_prevents_the_start_of_mlflows_operator_is_reported(info):
    waiting = {"name": "manager", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    pods = [{"metadata": {"name": "manager-1"}, "status": {"containerStatuses": [waiting]}}]
    seen = dataclasses.replace(state(mlflow_operator=mlflow_operator(None), dscs=[dsc(step=0)]), mlflow_operator_pods=pods)
    assert "pod manager-1: ImagePullBackOff (no such image)" in info(seen, expect="mlflow_operator")["msg"]


def test_a_silent_operator_can_be_accepted(info):
    silent = state(mlflow_operator=mlflow_operator(None), dscs=[dsc(step=0)])
    assert "opendatahub_accept_missing_status" in info(silent, expect="mlflow_operator")["msg"]
    assert info(silent, expect="mlflow_operator", accept_missing_status=True)["opendatahub"]["ready"]


def test_a_forbidden_request_is_one_sentence(info):
    assert info(ClusterError("GET /x: 403 forbidden.", 403))["msg"] == "GET /x: 403 forbidden."


def test_a_cluster_that_never_answers_is_one_sentence(info):
    result = info(ClusterError("GET /x: the API server does not respond."), expect="dsci")
    assert result["msg"] == "GET /x: the API server does not respond."
    assert "opendatahub" not in result
