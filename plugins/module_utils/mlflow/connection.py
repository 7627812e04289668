# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' options for reaching an MLflow server, and the client made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

PARALLELISM_MAX = 64


def connection_spec() -> dict[str, Any]:
    """Returns the argument spec documented in the fragment mlflow_connection."""
    return {
        "url": {"type": "str", "required": True},
        "token_file": {"type": "path", "no_log": False},  # a path; the token itself is never an argument
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "request_timeout": {"type": "float", "default": 30.0},
        "parallelism": {"type": "int", "default": 8},
    }


def client_from(options: Mapping[str, Any]) -> MlflowClient:
    """Returns a client for the options of `connection_spec`. Raises MlflowError with a sentence on unusable ones."""
    if not 1 <= options["parallelism"] <= PARALLELISM_MAX:
        raise MlflowError(f"Option parallelism {options['parallelism']}: is out of range. Allowed are 1 to {PARALLELISM_MAX}.")
    if options["request_timeout"] <= 0:
        raise MlflowError(f"Option request_timeout {options['request_timeout']:g}: is not a time. Give seconds greater than 0.")
    return MlflowClient(
        options["url"],
        token_file=options["token_file"],
        ca_file=options["ca_file"],
        validate_certs=options["validate_certs"],
        timeout_s=options["request_timeout"],
        connections=options["parallelism"],
    )


def tenant_numbers(options: Mapping[str, Any]) -> list[int]:
    """Returns the tenants' numbers: `numbers` as given, or 1 to `count`. Raises MlflowError unless they are 1 or greater and distinct."""
    numbers = options["numbers"] if options.get("numbers") is not None else list(range(1, (options.get("count") or 0) + 1))
    if not numbers or min(numbers) < 1 or len(set(numbers)) != len(numbers):
        raise MlflowError("Tenants: none, or a number twice or below 1. Give count of at least 1, or distinct numbers from 1 on.")
    return numbers
