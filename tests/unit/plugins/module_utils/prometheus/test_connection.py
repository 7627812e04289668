# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the options by which modules reach a Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.connection import client_from, connection_spec

LIMITS = {"tenancy_namespace": None, "timeout": 3.0, "retries": 1, "time_limit": 9.0}


def options(**changes):
    """What Ansible makes of the options when only the URL is given, and the changes."""
    given = {name: spec.get("default") for name, spec in connection_spec().items()}
    return {**given, "url": "http://127.0.0.1:9090", **LIMITS, **changes}


def test_the_client_has_what_the_options_say(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc\n", encoding="utf-8")
    client = client_from(options(token_file=str(token), tenancy_namespace="mine", validate_certs=False))
    assert (client.token, client.tenancy_namespace, client.validate_certs) == ("abc", "mine", False)
    assert (client.timeout, client.retries, client.time_limit) == (3.0, 1, 9.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"url": "prometheus"}, "is not a URL", id="no URL"),
        pytest.param({"ca_file": "/no/where.pem"}, "CA file /no/where.pem: does not exist", id="no CA file"),
        pytest.param({"token_file": "/no/where"}, "/no/where", id="no token file"),
    ],
)
def test_unusable_options_are_refused(changes, message) -> None:
    with pytest.raises(PrometheusError, match=message):
        client_from(options(**changes))


def test_the_token_is_no_argument() -> None:
    assert "token" not in connection_spec()
