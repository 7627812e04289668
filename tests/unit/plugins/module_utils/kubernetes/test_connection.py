# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for reaching a cluster are kubernetes.core's, and nothing but these reaches its client."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import connection


@pytest.mark.parametrize("option", ["kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs", "client_cert", "impersonate_user"])
def test_the_options_are_those_of_kubernetes_core(option: str) -> None:
    assert option in connection.auth_spec()


def test_secrets_are_kept_out_of_logs() -> None:
    assert connection.auth_spec()["api_key"]["no_log"] and connection.auth_spec()["password"]["no_log"]


def test_a_client_is_made_from_a_module_s_parameters() -> None:
    given = {**dict.fromkeys(connection.auth_spec()), "host": "https://127.0.0.1:6443/", "api_key": "t0ken", "validate_certs": False}
    cluster = connection.cluster_from({**given, "namespace": "not an option of the connection"}, connections=3)
    assert cluster.host == "https://127.0.0.1:6443"
    assert cluster.headers()["authorization"] == "Bearer t0ken"
    cluster.close()
