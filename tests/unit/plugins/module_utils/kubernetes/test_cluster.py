# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import ATTEMPTS
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

POD = "/api/v1/namespaces/a/pods/p"


def test_authenticates_with_a_token_and_decodes_the_response(server, cluster):
    server.put(POD, spec={"nodeName": "n"})
    assert cluster.request("GET", POD)["spec"] == {"nodeName": "n"}
    assert server.headers[0]["authorization"] == "Bearer token-1"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0], ids=lambda status: f"http-{status}" if status else "lost-connection")
def test_retries_with_growing_pauses(server, cluster, pauses, status):
    server.put(POD)
    server.answers[("GET", POD)] = [(status, {}), (status, {})]
    assert cluster.request("GET", POD)["metadata"]["name"] == "p"
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


def test_respects_retry_after(server, cluster, pauses):
    server.put(POD)
    server.answers[("GET", POD)] = [(429, {"__headers": {"Retry-After": "3"}}), (503, {"__headers": {"Retry-After": "1"}})]
    cluster.request("GET", POD)
    assert 3.0 <= pauses[0] <= 3.25
    assert 1.0 <= pauses[1] <= 1.25


def test_gives_up_after_its_attempts(server, cluster, pauses):
    server.answers[("GET", POD)] = [(503, {"message": "etcd is away", "reason": "ServiceUnavailable"})] * 9
    with pytest.raises(ClusterError, match=r"GET .*/pods/p: the API server returned 503 \(etcd is away\)") as caught:
        cluster.request("GET", POD, attempts=3)
    assert (len(server.requests), len(pauses), caught.value.status, caught.value.reason) == (3, 2, 503, "ServiceUnavailable")


def test_a_creation_whose_response_was_lost_finds_the_object(server, cluster, pauses):
    server.answers[("POST", "/api/v1/namespaces/a/pods")] = [(-1, {})]
    with pytest.raises(ClusterError) as caught:
        cluster.request("POST", "/api/v1/namespaces/a/pods", body={"metadata": {"name": "p"}})
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    assert server.get(POD)


def test_waits_for_the_service_account_of_a_new_namespace(server, cluster, pauses):
    denied = {"message": 'pods "p" is forbidden: error looking up service account a/default: serviceaccount "default" not found', "reason": "Forbidden"}
    server.answers[("POST", "/api/v1/namespaces/a/pods")] = [(403, denied), (403, denied)]
    assert cluster.request("POST", "/api/v1/namespaces/a/pods", body={"metadata": {"name": "p"}})["metadata"]["name"] == "p"
    assert len(pauses) == 2


def test_does_not_retry_a_denied_request(server, cluster, pauses):
    server.answers[("GET", POD)] = [(403, {"message": "pods is forbidden", "reason": "Forbidden"})]
    with pytest.raises(ClusterError, match=r"returned 403 \(pods is forbidden\)\. Grant this permission") as caught:
        cluster.request("GET", POD)
    assert caught.value.reason == "Forbidden"
    assert not pauses


def test_names_a_server_that_does_not_respond(pauses):
    with pytest.raises(ClusterError, match=r"the API server http://127\.0\.0\.1:1 does not respond \(.*refused.*\)\. Check the address") as caught:
        connect({"host": "http://127.0.0.1:1", "api_key": "t"}).request("GET", "/version", timeout_s=2)
    assert caught.value.status == 0
    assert len(pauses) == ATTEMPTS - 1


def test_get_distinguishes_absence_from_failure(server, cluster):
    assert cluster.get(POD) is None
    server.answers[("GET", POD)] = [(403, {})]
    with pytest.raises(ClusterError):
        cluster.get(POD)


def test_reads_all_pages_of_what_a_selector_chooses(server, cluster):
    for number in range(7):
        server.put(f"/api/v1/namespaces/a/pods/p{number}", {"app": "x" if number else "y"})
    found = cluster.items("/api/v1/namespaces/a/pods", "app=x", limit=2)
    assert [item["metadata"]["name"] for item in found] == [f"p{number}" for number in range(1, 7)]
    assert len(server.requests) == 3


def test_sends_patches_with_their_type(server, cluster):
    server.put(POD)
    cluster.request("PATCH", POD, body={"metadata": {"labels": {"a": "b"}}}, content_type=MERGE_PATCH)
    assert server.get(POD)["metadata"]["labels"] == {"a": "b"}
    assert server.headers[0]["content-type"] == MERGE_PATCH


def test_reads_the_clock_of_the_server(server, cluster):
    assert abs(cluster.server_time() - time.time()) < 10
    server.answers[("GET", "/version")] = [(200, {"__headers": {"Date": "Tue, 24 Nov 2026 12:00:00 GMT"}}), (200, {"__headers": {"Date": ""}})]
    assert cluster.server_time() == 1795521600.5
    assert cluster.server_time() is None
