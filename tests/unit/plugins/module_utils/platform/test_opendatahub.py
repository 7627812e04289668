# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of Open Data Hub: obstacles, waits and what was last seen, for every case that was met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.platform import opendatahub
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import DSC_CRD, DSCI_CRD, MLFLOW_CRD, OperatorState
from fakes.opendatahub_objects import (
    CSV,
    OURS,
    REQUEST,
    available,
    bare,
    condition,
    crd,
    csv,
    dsc,
    dsci,
    mlflow_operator,
    named,
    package,
    plan,
    state,
    subscription,
)

NONE = OperatorState(True, "opendatahub-operator-system")
BROKEN = condition("DashboardReady", "False", reason="DeploymentNotReady", message="0/1")
REMOVED = condition("MonitoringReady", "False", reason="Removed", message="Monitoring is not enabled")
UNREADY = condition("Ready", "False", reason="NotReady")


@pytest.mark.parametrize(
    ("seen", "wanted", "install", "messages"),
    [
        pytest.param(state(), {}, True, [], id="all-is-there"),
        pytest.param(bare(), {}, True, [], id="can-be-installed"),
        pytest.param(bare(operator=OperatorState()), {}, True, ["no Operator Lifecycle Manager"], id="no-olm"),
        pytest.param(bare(), {}, False, ["installation is turned off"], id="may-not-install"),
        pytest.param(bare(operator=replace(NONE, package=None)), {}, True, ["not offered by catalog"], id="no-package"),
        pytest.param(bare(operator=replace(NONE, package=package("fast"))), {}, True, ["no channel fast-3"], id="no-channel"),
        pytest.param(state(dscis=[dsci(namespace="elsewhere")]), {}, True, ["applications namespace elsewhere instead of opendatahub"], id="namespace-differs"),
        pytest.param(state(dscs=[dsc(), named("second")]), {}, True, ["default-dsc, second: more than one"], id="two-dscs"),
        pytest.param(state(crds={DSC_CRD: crd(DSC_CRD, ("v1",)), DSCI_CRD: None, MLFLOW_CRD: None}), {}, True, ["no version v2"], id="old-operator"),
        pytest.param(state(crds={DSC_CRD: crd(DSC_CRD, key="mlflow"), DSCI_CRD: None, MLFLOW_CRD: None}), {}, True, ["no version v2 with"], id="no-key"),
        pytest.param(
            bare(applications_namespace=named("tests")), {"applications_namespace": "tests"}, True, ["exists without the label"], id="unlabelled-namespace"
        ),
        pytest.param(
            bare(applications_namespace=named("tests", {"opendatahub.io/application-namespace": "true"})),
            {"applications_namespace": "tests"},
            True,
            [],
            id="labelled-namespace",
        ),
        pytest.param(bare(), {"applications_namespace": "tests"}, True, [], id="new-namespace"),
        pytest.param(state(dscs=[dsc("Removed", "removed")], mlflows=[named("mlflow")]), {}, True, ["manages MLflow mlflow already"], id="two-managers"),
    ],
)
def test_obstacles(seen, wanted, install, messages):
    found = opendatahub.obstacles(seen, replace(REQUEST, **wanted), install)
    assert len(found) == len(messages)
    assert all(text in " ".join(found) for text in messages)


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        pytest.param(state(), [], id="there"),
        pytest.param(state(operator=OperatorState()), [], id="there-without-olm"),
        pytest.param(
            state(crds={DSC_CRD: crd(DSC_CRD, established="False"), DSCI_CRD: crd(DSCI_CRD, ("v1",)), MLFLOW_CRD: None}), [DSC_CRD, DSCI_CRD], id="crds"
        ),
        pytest.param(state(operator=replace(NONE, subscription=subscription(), csvs=[csv(phase="Installing")])), [CSV], id="installing"),
        pytest.param(bare(), [DSC_CRD, DSCI_CRD], id="nothing"),
    ],
)
def test_the_operator(seen, waits):
    verdict = opendatahub.check_operator(seen, REQUEST)
    assert len(verdict.waiting_for) == len(waits)
    assert all(name in message for name, message in zip(waits, verdict.waiting_for, strict=True))


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        pytest.param(state(), "", id="ready"),
        pytest.param(bare(), "a DSCInitialization", id="absent"),
        pytest.param(state(dscis=[dsci(0)]), "phase Progressing", id="progressing"),
        pytest.param(state(dscis=[named("default-dsci")]), "phase none", id="no-status"),
        pytest.param(state(dscis=[{**dsci(), "metadata": {"name": "default-dsci", "deletionTimestamp": "now"}}]), "being deleted", id="deleting"),
    ],
)
def test_the_dsci(seen, waits):
    waiting = opendatahub.check_dsci(seen, REQUEST).waiting_for
    assert waits in " ".join(waiting)
    assert bool(waiting) == bool(waits)
    assert opendatahub.check_dsci_present(seen, REQUEST).ready == bool(seen.dscis)


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        pytest.param(state(), [], id="ready"),
        pytest.param(state(dscs=[]), ["a DataScienceCluster"], id="absent"),
        pytest.param(state(dscs=[dsc(step=0, observed=None)]), ["MLflowOperatorReady", "observe generation 1 (now none)", "Ready of"], id="fresh"),
        pytest.param(
            state(dscs=[dsc(steps="removed", observed=2, generation=3)]),
            ["MLflowOperatorReady", "Managed (now Removed)", "observe generation 3 (now 2)"],
            id="race-stale-ready-after-removed",
        ),
        pytest.param(state(dscs=[dsc(observed=2, generation=3)]), ["observe generation 3 (now 2)"], id="race-stale-ready"),
        pytest.param(state(dscs=[dsc(steps="removed")]), ["MLflowOperatorReady", "Managed (now Removed)"], id="removed"),
        pytest.param(state(dscs=[dsc(more=(BROKEN, UNREADY), observed=1, generation=2)]), [], id="another-component-is-broken"),
        pytest.param(state(dscs=[dsc(more=(BROKEN, UNREADY), observed=3, generation=5, provisioned=5)]), [], id="another-is-broken-and-provisioned"),
        pytest.param(
            state(dscs=[dsc(more=(BROKEN, UNREADY), observed=3, generation=5, provisioned=4)]),
            ["observe generation 5 (now 4)"],
            id="another-is-broken-and-the-change-unseen",
        ),
        pytest.param(state(dscs=[dsc(step=0, observed=None, more=(BROKEN,))]), ["MLflowOperatorReady"], id="both-are-broken"),
        pytest.param(state(mlflow_deployment=available("d", "False")), ["Deployment mlflow-operator"], id="ready-does-not-look-at-the-deployment"),
        pytest.param(state(mlflow_deployment=None), ["Deployment mlflow-operator"], id="no-deployment"),
        pytest.param(state(crds={DSC_CRD: crd(DSC_CRD), DSCI_CRD: crd(DSCI_CRD), MLFLOW_CRD: None}), [MLFLOW_CRD], id="no-crd"),
        pytest.param(state(mlflow_operator=mlflow_operator(None), dscs=[dsc(step=0)]), ["MLflowOperatorReady", "Ready of"], id="silent-operator"),
    ],
)
def test_mlflow_operator(seen, waits):
    waiting = opendatahub.check_mlflow_operator(seen, REQUEST).waiting_for
    assert len(waiting) == len(waits)
    assert all(text in found for text, found in zip(waits, waiting, strict=True))


def test_a_dsc_that_goes_is_not_ready():
    going = dsc()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "being deleted" in opendatahub.check_mlflow_operator(state(dscs=[going]), REQUEST).waiting_for[0]


def test_a_silent_operator_counts_only_when_accepted():
    silent = state(mlflow_operator=mlflow_operator(None), dscs=[dsc(step=0)])
    assert opendatahub.check_mlflow_operator(silent, REQUEST, accept_missing_status=True).ready
    assert not opendatahub.check_mlflow_operator(replace(silent, mlflow_deployment=None), REQUEST, accept_missing_status=True).ready
    assert "opendatahub_accept_missing_status" in opendatahub.last_seen(silent)[-1]


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        pytest.param(state(mlflow_operator=None), "", id="gone"),
        pytest.param(state(), "no finalizer blocks it", id="going"),
        pytest.param(
            state(mlflow_operator=mlflow_operator(finalizers=["a/protection"]), mlflows=[named("mlflow")]),
            "finalizer a/protection; MLflow mlflow exists",
            id="held",
        ),
        pytest.param(state(mlflow_deployment=None), "is not Available", id="no-deployment-to-release-it"),
    ],
)
def test_the_operator_goes(seen, waits):
    waiting = opendatahub.check_mlflow_operator_absent(seen, REQUEST).waiting_for
    assert waits in " ".join(waiting)
    assert bool(waiting) == bool(waits)


def test_a_plan_is_judged_by_the_subscription():
    seen = bare(operator=replace(NONE, subscription=subscription("", labels=OURS), install_plan=plan(CSV, "other.v1")))
    assert "plan for" in opendatahub.check_plan(seen, REQUEST).problems[0]


def test_what_was_last_seen():
    stuck = subscription("", current="", state="", conditions=[condition("BundleUnpacking", reason="JobIncomplete")])
    initializing = dsci(0)
    initializing["status"] = {**initializing["status"], "conditions": [*initializing["status"]["conditions"], REMOVED]}
    seen = state(
        operator=replace(NONE, subscription=stuck), dscis=[initializing], dscs=[dsc(step=0)], mlflow_operator=mlflow_operator(None), mlflow_deployment=None
    )
    details = opendatahub.last_seen(seen)
    assert details[0] == "Subscription opendatahub-operator: BundleUnpacking=True (JobIncomplete)"
    assert details[1].startswith("DSCInitialization default-dsci: phase Progressing; ReconcileComplete=Unknown")
    assert "Progressing=True" in details[1]
    assert "Degraded" not in details[1]
    assert "MonitoringReady" not in details[1]
    assert "Some modules are not ready" in details[2]
    assert "DashboardReady" not in details[2]
    assert details[3] == "MLflowOperator default-mlflowoperator: no status"


def test_what_roles_ask():
    seen = opendatahub.facts(state())
    assert seen["operator"] == {
        "installed": True,
        "namespace": "opendatahub-operator-system",
        "subscription": "opendatahub-operator",
        "owned": True,
        "run_id": "run-1",
        "csv": CSV,
        "csv_owned": False,
        "version": "3.5.0",
        "operator_groups": [],
        "install_plan": "",
    }
    assert seen["dsc"] == {"name": "default-dsc", "owned": False, "management_state": "Managed"}
    assert seen["mlflow_operator"] == {
        "present": True,
        "deleting": False,
        "image": "quay.io/opendatahub/mlflow-operator:odh-stable",
        "version": "3.5.0",
        "version_source": f"{CSV}, which ships it",
        "releases": {"platform": "3.5.0", "MLflow": "v3.14.0"},
    }
    assert seen["release"] == {"name": "Open Data Hub", "version": "3.5.0"}
    assert seen["applications_namespace"] == "opendatahub"


def test_a_platform_without_a_known_version():
    unknown = dsc()
    unknown["status"]["release"] = {"name": "Open Data Hub", "version": "0.0.0"}
    seen = opendatahub.facts(state(operator=OperatorState(), dscs=[unknown]))
    assert seen["operator"]["version"] == seen["release"]["version"] == ""
    assert seen["release"]["name"] == "Open Data Hub"


def test_what_roles_ask_of_nothing():
    seen = opendatahub.facts(bare())
    assert not seen["operator"]["installed"]
    assert seen["dsci"]["name"] == seen["dsc"]["name"] == seen["operator"]["version"] == ""


@pytest.mark.parametrize(
    ("found", "approves"),
    [
        pytest.param(subscription("", labels=OURS), "install-abc", id="first-plan"),
        pytest.param(subscription("opendatahub-operator.v3.4.0"), "", id="upgrade"),
        pytest.param(None, "", id="none"),
    ],
)
def test_which_plan_is_ours_to_approve(found, approves):
    seen = bare(operator=replace(NONE, subscription=found, install_plan=plan(CSV)))
    assert opendatahub.facts(seen)["operator"]["install_plan"] == approves


NOT_DECLARED = "not declared: no label app.kubernetes.io/version, not installed by OLM, image tag odh-stable"


def labelled_operator(labels):
    return {**available("mlflow-operator-controller-manager"), "metadata": {"labels": labels}}


@pytest.mark.parametrize(
    ("parts", "version", "source"),
    [
        pytest.param({}, "3.5.0", "opendatahub-operator.v3.5.0, which ships it", id="platform"),
        pytest.param({"mlflow_deployment": labelled_operator({"app.kubernetes.io/version": "1.2"})}, "1.2", "label app.kubernetes.io/version", id="own"),
        pytest.param({"operator": OperatorState()}, "3.5.0", "Open Data Hub, which ships it", id="without-olm"),
        pytest.param({"operator": OperatorState(), "dscs": [], "dscis": []}, None, NOT_DECLARED, id="nowhere"),
        pytest.param({"mlflow_deployment": None}, None, "no Deployment mlflow-operator-controller-manager", id="no-operator"),
    ],
)
def test_the_version_of_mlflows_operator_is_the_one_declared(parts, version, source):
    found = opendatahub.facts(state(**parts))["mlflow_operator"]
    assert (found["version"], found["version_source"]) == (version, source)
