# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership


@pytest.mark.parametrize(
    ("manifest", "is_ours"),
    [
        pytest.param({"metadata": {"labels": ownership.labels("r1")}}, True, id="ours"),
        pytest.param({"metadata": {"labels": {ownership.MANAGED_BY: "Helm"}}}, False, id="unmanaged"),
        pytest.param({"metadata": {"labels": {ownership.RUN_ID: "r1"}}}, False, id="half"),
        pytest.param({"metadata": {"labels": None}}, False, id="null"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_the_label_marks_our_objects(manifest, is_ours):
    assert ownership.is_ours(manifest) is is_ours


def test_selectors_are_equalities():
    assert ownership.selector() == "app.kubernetes.io/managed-by=perfscale.mlflow"
    assert ownership.selector("r1") == "app.kubernetes.io/managed-by=perfscale.mlflow,perfscale.mlflow/run-id=r1"
