# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import complete, connection_params, connection_spec


def test_the_options_are_those_of_kubernetes_core() -> None:
    assert {name: {"type": "str", **spec} for name, spec in AUTH_ARG_SPEC.items()} == connection_spec()


@pytest.mark.parametrize("option", ["kubeconfig", "api_key", "password"])
def test_secrets_are_not_logged(option: str) -> None:
    assert connection_spec()[option]["no_log"]


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        pytest.param({"K8S_AUTH_HOST": "https://h"}, {"host": "https://h"}, id="option"),
        pytest.param({"K8S_AUTH_SSL_CA_CERT": "ca.pem"}, {"ca_cert": "ca.pem"}, id="alias"),
        pytest.param({"K8S_AUTH_CA_CERT": "a", "K8S_AUTH_SSL_CA_CERT": "b"}, {"ca_cert": "a"}, id="option-before-alias"),
        pytest.param({"K8S_AUTH_VERIFY_SSL": "False"}, {"validate_certs": False}, id="false"),
        pytest.param({"K8S_AUTH_VALIDATE_CERTS": "no"}, {"validate_certs": False}, id="no"),
        pytest.param({"K8S_AUTH_VERIFY_SSL": "yes"}, {"validate_certs": True}, id="true"),
        pytest.param({"K8S_AUTH_IMPERSONATE_GROUPS": "a,,b"}, {"impersonate_groups": ["a", "b"]}, id="list"),
        pytest.param({"K8S_AUTH_PROXY_HEADERS_USER_AGENT": "x"}, {"proxy_headers": {"user_agent": "x"}}, id="dictionary"),
        pytest.param({"K8S_AUTH_HOST": ""}, {}, id="empty"),
        pytest.param({"KUBECONFIG": "c", "HOST": "h"}, {}, id="others"),
    ],
)
def test_environment_variables(environment: dict[str, str], options: dict[str, Any]) -> None:
    assert complete({}, environment) == options


def test_an_option_takes_precedence_over_its_variable() -> None:
    given = {"host": "https://option", "validate_certs": False, "context": None}
    variables = {"K8S_AUTH_HOST": "https://variable", "K8S_AUTH_VERIFY_SSL": "true", "K8S_AUTH_CONTEXT": "c"}
    assert complete(given, variables) == {"host": "https://option", "validate_certs": False, "context": "c"}


def test_only_connection_options_are_taken_from_parameters() -> None:
    params = {**dict.fromkeys(connection_spec()), "host": "https://h", "namespace": "n"}
    assert "namespace" not in connection_params(params)
    assert connection_params(params)["host"] == "https://h"
