# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an MLflow server reports about itself, and its problems that would stop a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import HttpOptionError, Response, authorization, check_ca_file
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient, check_url
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    WORKSPACES_REMEDY,
    MlflowAccessError,
    MlflowError,
    from_response,
    unexpected,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import list_workspaces

_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
# 3.10.0 is the first release whose server has workspaces; later lines than the newest were not tested.
OLDEST = "3.10.0"
NEWEST = "3.17"
SERVER_INFO = "/api/3.0/mlflow/server-info"
TIMEOUT_S = 10.0
ATTEMPTS = 3


def read_server_info(client: MlflowClient) -> dict[str, Any]:
    """Return {version, workspaces_enabled, store_type} of a healthy server.

    `version` and `store_type` are None if the server does not report them. /health, /version and
    /api/3.0/mlflow/server-info are requested below the URL's path prefix. Raises MlflowError.
    """
    health = client.request("GET", "/health", attempts=ATTEMPTS)
    if health.status >= 500:
        raise from_response(client.url, "GET /health", health, client.login)
    info = _server_info(client, health)
    store_type = info.get("store_type")
    return {
        "version": _version(client),
        "workspaces_enabled": info.get("workspaces_enabled") is True,
        "store_type": store_type if isinstance(store_type, str) else None,
    }


def _server_info(client: MlflowClient, health: Response) -> dict[str, Any]:
    """Return what the server says about itself. A gateway may keep /health to itself, so that response decides only where the API has none."""
    try:
        return client.document("GET", SERVER_INFO, attempts=ATTEMPTS)
    except MlflowAccessError:
        raise
    except MlflowError as error:
        if error.status != 404:
            raise
        if health.status == 200 and health.data.strip().strip(b'"') == b"OK":
            return {}  # MLflow before 3.10 has neither this endpoint nor workspaces
        what = "GET /health"
        raise unexpected(client.url, what, health) if health.is_success else from_response(client.url, what, health, client.login) from error


def _version(client: MlflowClient) -> str | None:
    response = client.request("GET", "/version", attempts=ATTEMPTS)
    text = response.data[:100].decode("utf-8", "replace").strip()
    return text if response.status == 200 and _VERSION.fullmatch(text) else None


def is_supported(version: str) -> bool:
    """Return whether a version (PEP 440, such as 3.14, 3.14.0 or 3.14.0+build1) is of a release from OLDEST to NEWEST."""
    oldest, newest, given = (tuple(int(part) for part in re.findall(r"\d+", text)[:2]) for text in (OLDEST, NEWEST, version))
    return oldest <= given <= newest


def mlflow_problems(
    url: str, token_file: str | None = None, ca_file: str | None = None, validate_certs: bool = True, anonymous: bool = False
) -> list[str]:
    """Return one sentence with cause and remedy per problem; an empty list means the server can be used.

    Inputs are all checked; requests are sent only when they can be used, and change nothing. `anonymous` sends only those that need no token.
    """
    problems = [sentence for sentence in (_sentence(check_url, url), _sentence(authorization, token_file), _sentence(check_ca_file, ca_file)) if sentence]
    if problems:
        return problems
    client = MlflowClient(url, token_file, ca_file, validate_certs, timeout_s=TIMEOUT_S)
    try:
        info = read_server_info(client)
        if info["version"] and not is_supported(info["version"]):
            return [f"MLflow {client.url}: version {info['version']}, which is not supported. Use a release from {OLDEST} to {NEWEST}."]
        if not info["workspaces_enabled"]:
            return [f"MLflow {client.url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}."]
        if not anonymous:
            list_workspaces(client)  # the first request that needs the token on every kind of server
    except MlflowError as error:
        return [str(error)]
    finally:
        client.close()
    return []


def read_server(url: str, token_file: str | None = None, ca_file: str | None = None, validate_certs: bool = True) -> dict[str, Any]:
    """Return {version, workspaces_enabled, store_type} of the server at `url`. Raises MlflowError."""
    client = MlflowClient(url, token_file, ca_file, validate_certs, timeout_s=TIMEOUT_S)
    try:
        return read_server_info(client)
    finally:
        client.close()


def _sentence(check: Callable[[Any], Any], value: Any) -> str | None:
    try:
        check(value)
    except (MlflowError, HttpOptionError) as error:
        return str(error)
    return None
