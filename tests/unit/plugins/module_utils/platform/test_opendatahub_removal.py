# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a teardown deletes, restores and leaves."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import (
    BEFORE,
    CHANGED_BY,
    OperatorState,
    adoption_patch,
    plan_removal,
    restoration_patch,
)
from fakes.opendatahub_objects import OURS, bare, csv, dsc, dsci, named, state, subscription

PLACE = "opendatahub-operator-system"
UNMANAGED = OperatorState(True, PLACE, subscription(labels={}), csvs=[csv()])
MINE = OperatorState(True, PLACE, subscription(labels=OURS), csvs=[csv()])
ADOPTED = {BEFORE: "unset", CHANGED_BY: "run-1"}
NOTHING = {"restore": {}, "disable_dsc": "", "delete_dsc": "", "delete_dsci": "", "delete_operator": ""}
ALL = {**NOTHING, "disable_dsc": "default-dsc", "delete_dsc": "default-dsc", "delete_dsci": "default-dsci", "delete_operator": "opendatahub-operator"}
FORGET = {"metadata": {"annotations": {BEFORE: None, CHANGED_BY: None}}}


@pytest.mark.parametrize(
    ("asks", "before", "back"),
    [
        pytest.param("Removed", "Removed", {"managementState": "Removed"}, id="removed"),
        pytest.param("", "unset", None, id="unset"),
    ],
)
def test_adoption_and_back(asks, before, back):
    patch = adoption_patch(dsc(asks), "run-1")
    assert patch["metadata"]["annotations"] == {BEFORE: before, CHANGED_BY: "run-1"}
    assert patch["spec"] == {"components": {"mlflowoperator": {"managementState": "Managed"}}}
    adopted = dsc("Managed", annotations=patch["metadata"]["annotations"])
    assert restoration_patch(adopted) == {**FORGET, "spec": {"components": {"mlflowoperator": back}}}


def test_what_was_changed_since_is_not_restored():
    assert restoration_patch(dsc("Removed", annotations=ADOPTED)) == FORGET


@pytest.mark.parametrize(
    ("seen", "run_id", "expected", "left"),
    [
        pytest.param(bare(), "run-1", NOTHING, [], id="nothing-there"),
        pytest.param(state(operator=UNMANAGED), "run-1", NOTHING, [], id="nothing-ours"),
        pytest.param(state(operator=MINE, dscis=[dsci(labels=OURS)], dscs=[dsc(labels=OURS)]), "run-1", ALL, [], id="all-ours"),
        pytest.param(state(operator=MINE, dscis=[dsci(labels=OURS)], dscs=[dsc(labels=OURS)]), "", ALL, [], id="all-of-any-run"),
        pytest.param(state(operator=MINE, dscis=[dsci(labels=OURS)], dscs=[dsc(labels=OURS)]), "run-2", NOTHING, [], id="of-another-run"),
        pytest.param(
            state(operator=UNMANAGED, dscs=[dsc(annotations=ADOPTED)]),
            "run-1",
            {**NOTHING, "restore": {**FORGET, "spec": {"components": {"mlflowoperator": None}}}},
            [],
            id="adopted",
        ),
        pytest.param(state(operator=UNMANAGED, dscs=[dsc(annotations=ADOPTED)]), "run-2", NOTHING, [], id="adopted-by-another-run"),
        pytest.param(
            state(operator=UNMANAGED, dscs=[dsc(annotations=ADOPTED)], mlflows=[named("mlflow")]),
            "run-1",
            NOTHING,
            [
                "DataScienceCluster default-dsc stays unchanged, because MLflow mlflow still exists. Delete that first.",
                "MLflowOperator default-mlflowoperator stays, because MLflow mlflow needs it.",
            ],
            id="mlflow-first",
        ),
        pytest.param(
            state(operator=MINE, dscis=[dsci(labels=OURS)], dscs=[dsc(labels=OURS, others={"kserve": "Managed", "ray": "Removed"})]),
            "run-1",
            {**NOTHING, "disable_dsc": "default-dsc"},
            [
                "DataScienceCluster default-dsc stays, because others enabled kserve.",
                "DSCInitialization default-dsci stays, because DataScienceCluster default-dsc needs it.",
                f"Subscription {PLACE}/opendatahub-operator stays with its operator, because DataScienceCluster default-dsc and DSCInitialization "
                "default-dsci need it.",
            ],
            id="others-use-our-dsc",
        ),
        pytest.param(
            state(operator=MINE, dscs=[]),
            "run-1",
            NOTHING,
            [f"Subscription {PLACE}/opendatahub-operator stays with its operator, because DSCInitialization default-dsci needs it."],
            id="others-dsci",
        ),
        pytest.param(
            bare(operator=OperatorState(True, PLACE, csvs=[{**csv(), **named("odh.v3.5.0", OURS, metadata={"namespace": PLACE})}]), dscis=[dsci()]),
            "run-1",
            NOTHING,
            [f"ClusterServiceVersion {PLACE}/odh.v3.5.0 stays with its operator, because DSCInitialization default-dsci needs it."],
            id="version-without-its-subscription-that-others-need",
        ),
        pytest.param(
            bare(operator=OperatorState(True, PLACE, csvs=[{**csv(), **named("odh.v3.5.0", OURS)}])),
            "run-1",
            {**NOTHING, "delete_operator": "odh.v3.5.0"},
            [],
            id="version-that-an-interrupted-teardown-left",
        ),
    ],
)
def test_plans(seen, run_id, expected, left):
    found = plan_removal(seen, run_id)
    entries = found.pop("left")
    assert found == expected
    assert [f"{entry['object']} {entry['why']}" for entry in entries] == left


ANOTHER = {**OURS, "perfscale.mlflow/run-id": "run-2"}
BOTH = [named("mlflow", ANOTHER), named("unmanaged")]


@pytest.mark.parametrize(
    ("parts", "run_id", "reasons"),
    [
        pytest.param({"mlflows": [named("mlflow", ANOTHER)]}, "run-1", ["run-2"] * 4, id="mlflow-of-another-run"),
        pytest.param({"mlflows": [named("mlflow")]}, "run-1", [""] * 4, id="unmanaged-mlflow"),
        pytest.param({"mlflows": BOTH}, "run-1", [""] * 4, id="both"),
        pytest.param({"mlflows": [named("mlflow", OURS)]}, "run-1", [""] * 4, id="mlflow-that-this-run-could-not-delete"),
        pytest.param({"mlflows": [named("mlflow", ANOTHER)]}, "", [""] * 4, id="all-runs"),
        pytest.param({"dscs": [dsc(labels=ANOTHER)]}, "run-1", ["run-2"] * 2, id="dsc-of-another-run"),
        pytest.param({"dscs": [dsc()]}, "run-1", [""] * 2, id="unmanaged-dsc"),
        pytest.param({"dscs": [dsc(labels=ANOTHER)], "dscis": [dsci(labels=ANOTHER)]}, "run-1", ["run-2"], id="all-but-the-operator-of-another-run"),
        pytest.param({"dscs": [dsc(labels=ANOTHER)], "dscis": [dsci()]}, "run-1", [""], id="unmanaged-dsci"),
    ],
)
def test_what_stays_names_the_other_run_that_is_the_reason(parts, run_id, reasons):
    seen = state(**{"operator": MINE, "dscis": [dsci(labels=OURS)], "dscs": [dsc(labels=OURS)], **parts})
    assert [entry["run_id"] for entry in plan_removal(seen, run_id)["left"]] == reasons


def test_the_mlflow_of_another_run_is_torn_down_with_that_run():
    left = plan_removal(state(operator=UNMANAGED, dscs=[dsc(annotations=ADOPTED)], mlflows=[named("mlflow", ANOTHER)]), "run-1")["left"]
    assert left[0]["why"] == "stays unchanged, because MLflow mlflow still exists. Tear down run run-2 first."
