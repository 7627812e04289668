# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of service accounts from the real API server."""

from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import cluster_facts, token_problems
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token
from tenants.accounts import login, until

DAY_S = 86400


@pytest.fixture
def account(cluster: Cluster, namespace: str) -> str:
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "load"}})
    return namespace


def test_a_token_logs_in_as_its_account_for_the_requested_time(cluster: Cluster, account: str) -> None:
    token = request_token(cluster, account, "load", 2 * DAY_S)
    assert abs(token.expires - time.time() - 2 * DAY_S) < 60
    assert cluster_facts(connect(login(cluster, token.text)))["user"] == f"system:serviceaccount:{account}:load"


def test_every_token_is_another_one(cluster: Cluster, account: str) -> None:
    assert request_token(cluster, account, "load", 600).text != request_token(cluster, account, "load", 601).text


def test_a_token_ends_with_the_secret_that_it_is_bound_to(cluster: Cluster, account: str) -> None:
    secrets = f"/api/v1/namespaces/{account}/secrets"
    secret = cluster.request("POST", secrets, {"metadata": {"name": "bound"}})
    token = request_token(cluster, account, "load", 3600, {"name": "bound", "uid": secret["metadata"]["uid"]})
    user = connect(login(cluster, token.text))
    assert cluster_facts(user)["user"].endswith(":load")
    cluster.request("DELETE", f"{secrets}/bound")

    def is_rejected() -> bool:
        try:
            cluster_facts(user)
        except ClusterError as error:
            return error.status == 401
        return False

    # The API server caches a successful authentication of a token for ten seconds.
    assert until("the token ends", is_rejected, 30)


def test_an_account_that_is_not_there_is_named(cluster: Cluster, account: str) -> None:
    with pytest.raises(ClusterError, match=r'serviceaccounts "nobody" not found'):
        request_token(cluster, account, "nobody", 600)


def test_preflight_checks_the_first_existing_account(cluster: Cluster, account: str) -> None:
    assert token_problems(cluster, account, ["nobody", "load"], DAY_S) == []
    assert token_problems(cluster, account, ["nobody"], DAY_S) == []
