# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that would stop a run at an MLflow server, found before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import (
    MlflowClient,
    check_ca,
    check_url,
    read_token,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import WORKSPACES_REMEDY, MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server_info import read_server_info
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import list_workspaces

TIMEOUT_S = 10.0


def mlflow_problems(
    url: str, token_file: str | None = None, ca_file: str | None = None, validate_certs: bool = True, anonymous: bool = False
) -> list[str]:
    """Returns one sentence with cause and remedy per problem; an empty list means the server can be used.

    Inputs are all checked; the server is asked only when they can be used, and never changed. `anonymous` asks only what needs no token.
    """
    problems = [sentence for sentence in (_sentence(check_url, url), _sentence(read_token, token_file), _sentence(check_ca, ca_file)) if sentence]
    if problems:
        return problems
    client = MlflowClient(url, token_file, ca_file, validate_certs, timeout_s=TIMEOUT_S)
    try:
        if not read_server_info(client)["workspaces_enabled"]:
            return [f"MLflow {client.url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}."]
        if not anonymous:
            list_workspaces(client)  # the first request that needs the token on every kind of server
    except MlflowError as error:
        return [str(error)]
    finally:
        client.close()
    return []


def read_server(url: str, token_file: str | None = None, ca_file: str | None = None, validate_certs: bool = True) -> dict[str, Any]:
    """Returns {version, workspaces_enabled, store_type} of the server at `url`. Raises MlflowError."""
    client = MlflowClient(url, token_file, ca_file, validate_certs, timeout_s=TIMEOUT_S)
    try:
        return read_server_info(client)
    finally:
        client.close()


def _sentence(check: Callable[[Any], Any], value: Any) -> str | None:
    try:
        check(value)
    except MlflowError as error:
        return str(error)
    return None
