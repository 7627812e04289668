# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import from_answer, unreachable


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        pytest.param(401, b'{"message": "Unauthorized", "reason": "Unauthorized"}', "answered 401 (Unauthorized). Log in again", id="unauthorized"),
        pytest.param(403, b'{"message": "no", "reason": "Forbidden"}', "answered 403 (no). Give the user", id="forbidden"),
        pytest.param(404, b'{"reason": "NotFound"}', "answered 404 (NotFound). Check the name", id="only-a-reason"),
        pytest.param(422, b"{}", "answered 422 (no message). Correct the setting", id="nothing-said"),
        pytest.param(429, b"too many requests\n", "answered 429 (too many requests). The API server is overloaded", id="plain-text"),
        pytest.param(418, b"[]", "answered 418 ([]). Look at the API server", id="odd"),
    ],
)
def test_an_answer_becomes_one_sentence(status, body, text):
    error = from_answer("GET /x", status, body)
    assert str(error).startswith("GET /x: the API server ") and text in str(error) and error.status == status


def test_silence_becomes_one_sentence():
    error = unreachable("GET /x", "https://h", OSError("Max retries (Caused by NewConnectionError('refused'))"))
    assert str(error).startswith("GET /x: the API server https://h does not answer (NewConnectionError('refused')") and error.status == 0


@pytest.mark.parametrize(
    ("manifest", "is_ours"),
    [
        pytest.param({"metadata": {"labels": ownership.labels("r1")}}, True, id="ours"),
        pytest.param({"metadata": {"labels": {ownership.MANAGED_BY: "Helm"}}}, False, id="theirs"),
        pytest.param({"metadata": {"labels": {ownership.RUN_ID: "r1"}}}, False, id="half"),
        pytest.param({"metadata": {"labels": None}}, False, id="null"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_the_label_says_whose_it_is(manifest, is_ours):
    assert ownership.is_ours(manifest) is is_ours


def test_selectors_are_equalities():
    assert ownership.selector() == "app.kubernetes.io/managed-by=perfscale.mlflow"
    assert ownership.selector("r1") == "app.kubernetes.io/managed-by=perfscale.mlflow,perfscale.mlflow/run-id=r1"
