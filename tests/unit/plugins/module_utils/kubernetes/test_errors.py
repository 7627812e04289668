# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import from_response, unreachable

MISSING = b'{"message": "pods \\"x\\" not found", "reason": "NotFound", "details": {"name": "x", "kind": "pods"}}'
# As an API server answers a request that creates something in a namespace that is being deleted.
ENDING = b'{"message": "no", "reason": "Forbidden", "details": {"name": "x", "causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}}'


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        pytest.param(401, b'{"message": "Unauthorized", "reason": "Unauthorized"}', "returned 401 (Unauthorized). Log in again", id="unauthorized"),
        pytest.param(403, b'{"message": "no", "reason": "Forbidden"}', "returned 403 (no). Grant this permission", id="forbidden"),
        pytest.param(403, ENDING, "returned 403 (no). Wait until the namespace is deleted", id="namespace-is-being-deleted"),
        pytest.param(403, b'{"message": "no", "details": {"causes": [1]}}', "returned 403 (no). Grant this permission", id="odd-causes"),
        pytest.param(404, b'{"reason": "NotFound"}', "returned 404 (NotFound). Check that this API (CRD) is installed", id="only-a-reason"),
        pytest.param(404, b"404 page not found\n", "returned 404 (404 page not found). Check that this API (CRD) is installed", id="no-api"),
        pytest.param(404, MISSING, "returned 404 (pods \"x\" not found). Check the name and namespace of the object", id="no-object"),
        pytest.param(422, b"{}", "returned 422 (no message). Correct the setting", id="no-message"),
        pytest.param(429, b"too many requests\n", "returned 429 (too many requests). The API server is overloaded", id="plain-text"),
        pytest.param(418, b"[]", "returned 418 ([]). Check the API server", id="odd"),
    ],
)
def test_a_response_becomes_one_sentence(status, body, text):
    error = from_response("GET /x", status, body)
    assert str(error).startswith("GET /x: the API server ")
    assert text in str(error)
    assert error.status == status


def test_no_response_becomes_one_sentence():
    error = unreachable("GET /x", "https://h", OSError("Max retries (Caused by NewConnectionError('refused'))"))
    assert str(error).startswith("GET /x: the API server https://h does not respond (NewConnectionError('refused')")
    assert error.status == 0
