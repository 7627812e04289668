# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import Token, described, request_token

PATH = "/api/v1/namespaces/a/serviceaccounts/k6/token"


def jwt(life):
    claims = base64.urlsafe_b64encode(json.dumps({"iat": 1000, "exp": 1000 + life}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


def answer(text, seconds):
    return 201, {"spec": {"expirationSeconds": seconds}, "status": {"token": text, "expirationTimestamp": "2026-11-24T13:00:00Z"}}


def test_asks_for_the_servers_own_audience(server, cluster):
    server.answers[("POST", PATH)] = [answer(jwt(3600), 3600)]
    token = request_token(cluster, "a", "k6", 3600)
    assert (token.text, token.expires) == (jwt(3600), 1795525200.0)
    assert server.requests[0][2]["spec"] == {"expirationSeconds": 3600}


def test_binds_to_a_secret(server, cluster):
    server.answers[("POST", PATH)] = [answer(jwt(3600), 3600)]
    request_token(cluster, "a", "k6", 3600, {"name": "s", "uid": "u"})
    assert server.requests[0][2]["spec"]["boundObjectRef"] == {"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(jwt(3600), 3600, id="told"),
        pytest.param(jwt(3600), 7200, id="not-told"),
        pytest.param("opaque", 3600, id="no-jwt"),
        pytest.param("a.!!!.c", 3600, id="no-claims"),
    ],
)
def test_refuses_a_token_whose_life_was_shortened(server, cluster, text, told):
    server.answers[("POST", PATH)] = [answer(text, told)]
    with pytest.raises(ClusterError, match=r"Token of service account a/k6: 7200 s were asked for and the API server gave 3600 s\. Measure") as caught:
        request_token(cluster, "a", "k6", 7200)
    assert text not in str(caught.value)


def test_takes_a_token_that_is_no_jwt_by_the_answer(server, cluster):
    server.answers[("POST", PATH)] = [answer("opaque", 7200)]
    assert request_token(cluster, "a", "k6", 7200).text == "opaque"


def test_refuses_a_life_that_no_server_takes(server, cluster):
    with pytest.raises(ClusterError, match="Ask for at least 600 s"):
        request_token(cluster, "a", "k6", 599)
    assert server.requests == []


def test_says_which_service_account_is_missing(server, cluster):
    server.answers[("POST", PATH)] = [(404, {"message": 'serviceaccounts "k6" not found', "reason": "NotFound"})]
    with pytest.raises(ClusterError, match='serviceaccounts "k6" not found'):
        request_token(cluster, "a", "k6", 600)


def test_the_earliest_end_counts_and_no_text_shows():
    tokens = [Token("secret-1", 200.0), Token("secret-2", 100.0)]
    assert described(tokens) == {"expires": 100.0, "expires_at": "1970-01-01T00:01:40Z", "count": 2}
    assert "secret" not in repr(tokens)
