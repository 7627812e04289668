# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' options for reaching a Prometheus (perfscale.mlflow.prometheus_connection), and the client made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, read_token


def connection_spec() -> dict[str, Any]:
    """Returns the argument spec documented in the fragment prometheus_connection."""
    return {
        "url": {"type": "str", "required": True},
        "token_file": {"type": "path", "no_log": False},  # a path; the token itself is never an argument
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
    }


def client_from(options: Mapping[str, Any]) -> PrometheusClient:
    """Returns a client for the options of `connection_spec` and the limits of a module. Raises PrometheusError on unusable ones."""
    return PrometheusClient(
        url=options["url"],
        token=read_token(options["token_file"]),
        ca_file=options["ca_file"],
        validate_certs=options["validate_certs"],
        tenancy_namespace=options["tenancy_namespace"],
        timeout=options["timeout"],
        retries=options["retries"],
        time_limit=options["time_limit"],
    )
