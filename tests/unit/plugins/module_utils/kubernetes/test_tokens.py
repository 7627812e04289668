# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import Token, account_uid, account_uids, kept_token, request_token, token_facts

PATH = "/api/v1/namespaces/a/serviceaccounts/k6/token"


def jwt(life, **more):
    claims = base64.urlsafe_b64encode(json.dumps({"iat": 1000, "exp": 1000 + life, **more}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


def of_account(uid):
    return {"kubernetes.io": {"serviceaccount": {"name": "k6", "uid": uid}}}


def response(text, seconds):
    return 201, {"spec": {"expirationSeconds": seconds}, "status": {"token": text, "expirationTimestamp": "2026-11-24T13:00:00Z"}}


def test_requests_the_servers_own_audience(server, cluster):
    server.answers[("POST", PATH)] = [response(jwt(3600), 3600)]
    token = request_token(cluster, "a", "k6", 3600)
    assert (token.text, token.expires) == (jwt(3600), 1795525200.0)
    assert server.requests[0][2]["spec"] == {"expirationSeconds": 3600}


def test_binds_to_a_secret(server, cluster):
    server.answers[("POST", PATH)] = [response(jwt(3600), 3600)]
    request_token(cluster, "a", "k6", 3600, {"name": "s", "uid": "u"})
    assert server.requests[0][2]["spec"]["boundObjectRef"] == {"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u"}


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        pytest.param(jwt(3600), 3600, id="in-spec"),
        pytest.param(jwt(3600), 7200, id="not-in-spec"),
        pytest.param("opaque", 3600, id="no-jwt"),
        pytest.param("a.!!!.c", 3600, id="no-claims"),
    ],
)
def test_fails_on_a_shortened_lifetime(server, cluster, text, spec):
    server.answers[("POST", PATH)] = [response(text, spec)]
    with pytest.raises(ClusterError, match=r"a/k6: lifetime of 3600 s granted by the API server instead of 7200 s\. Measure") as caught:
        request_token(cluster, "a", "k6", 7200)
    assert text not in str(caught.value)


def test_reads_the_lifetime_of_an_opaque_token_from_the_response(server, cluster):
    server.answers[("POST", PATH)] = [response("opaque", 7200)]
    assert request_token(cluster, "a", "k6", 7200).text == "opaque"


def test_fails_on_a_lifetime_below_the_minimum(server, cluster):
    with pytest.raises(ClusterError, match="Request at least 600 s"):
        request_token(cluster, "a", "k6", 599)
    assert server.requests == []


def test_names_a_missing_service_account(server, cluster):
    server.answers[("POST", PATH)] = [(404, {"message": 'serviceaccounts "k6" not found', "reason": "NotFound"})]
    with pytest.raises(ClusterError, match='serviceaccounts "k6" not found'):
        request_token(cluster, "a", "k6", 600)


def test_facts_have_the_earliest_expiry_and_no_text():
    tokens = [Token("secret-1", 200.0), Token("secret-2", 100.0)]
    assert token_facts(tokens) == {"expires": 100.0, "expires_at": "1970-01-01T00:01:40Z", "count": 2}
    assert "secret" not in repr(tokens)


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        pytest.param(jwt(1000, **of_account("u")), True, id="good"),
        pytest.param(jwt(600, **of_account("u")), True, id="just-long-enough"),
        pytest.param(jwt(599, **of_account("u")), False, id="too-short"),
        pytest.param(jwt(2000, **of_account("u")), False, id="longer-than-wanted"),
        pytest.param(jwt(1000, **of_account("before")), False, id="of-a-deleted-account"),
        pytest.param(jwt(1000), False, id="of-no-account"),
        pytest.param("opaque", False, id="no-jwt"),
        pytest.param("a.WzFd.c", False, id="no-object"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_good_token_is_kept(text, is_kept):
    assert (kept_token(text, "u", 600, 1500, now=1000.0) == Token(text, 1000.0 + 1000)) is (is_kept and text == jwt(1000, **of_account("u")))
    assert (kept_token(text, "u", 600, 1500, now=1000.0) is not None) is is_kept


def test_a_missing_account_is_created_for_the_run(server, cluster):
    accounts = "/api/v1/namespaces/a/serviceaccounts"
    with pytest.raises(ClusterError, match=r"^Service account a/k6: does not exist\. Create it"):
        account_uid(cluster, "a", "k6")
    first = account_uid(cluster, "a", "k6", "r1")
    assert server.get(f"{accounts}/k6")["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "r1"}
    assert account_uid(cluster, "a", "k6", "r2") == first
    server.put("/api/v1/namespaces/b/serviceaccounts/k6")
    assert account_uids(cluster, "k6").keys() == {"a", "b"}
