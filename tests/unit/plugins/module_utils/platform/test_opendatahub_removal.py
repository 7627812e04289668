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
            ["MLflow mlflow still exists"],
            id="mlflow-first",
        ),
        pytest.param(
            state(operator=MINE, dscis=[dsci(labels=OURS)], dscs=[dsc(labels=OURS, others={"kserve": "Managed", "ray": "Removed"})]),
            "run-1",
            {**NOTHING, "disable_dsc": "default-dsc"},
            ["others enabled kserve", "DSCInitialization default-dsci: stays", "Operator opendatahub-operator: stays, because DataScienceCluster"],
            id="others-use-our-dsc",
        ),
        pytest.param(
            state(operator=MINE, dscs=[]), "run-1", NOTHING, ["Operator opendatahub-operator: stays, because DSCInitialization default-dsci"], id="others-dsci"
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
    messages = found.pop("left")
    assert found == expected
    assert len(messages) == len(left)
    assert all(text in sentence for text, sentence in zip(left, messages, strict=True))
