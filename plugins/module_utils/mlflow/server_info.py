# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server says about itself."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    WORKSPACES_REMEDY,
    MlflowError,
    MlflowRefused,
    WorkspacesDisabled,
    from_status,
    unexpected,
)

_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
SERVER_INFO = "/api/3.0/mlflow/server-info"


def read_server_info(client: MlflowClient) -> dict[str, Any]:
    """Returns {version, workspaces_enabled, store_type} of a healthy server.

    `version` and `store_type` are None where the server keeps them to itself. /health, /version and
    /api/3.0/mlflow/server-info are asked below the URL's path prefix. Raises MlflowError.
    """
    check_health(client)
    info = _server_info(client)
    return {
        "version": _version(client),
        "workspaces_enabled": bool(info.get("workspaces_enabled", False)),
        "store_type": info.get("store_type"),
    }


def check_health(client: MlflowClient) -> None:
    """Raises MlflowError unless /health answers 200 with the text OK."""
    status, content_type, data = client.request("GET", "/health", attempts=3)
    if status != 200:
        raise from_status(client.url, "GET /health", status, content_type, data, client.with_token)
    if data.strip().strip(b'"') != b"OK":
        raise unexpected(client.url, "GET /health", status, content_type, data)


def require_workspaces(client: MlflowClient) -> None:
    """Raises WorkspacesDisabled when the server runs without workspaces, another MlflowError when it cannot tell."""
    if not _server_info(client).get("workspaces_enabled", False):
        raise WorkspacesDisabled(f"MLflow {client.url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}.")


def _server_info(client: MlflowClient) -> dict[str, Any]:
    try:
        return client.document("GET", SERVER_INFO, attempts=3)
    except MlflowRefused:
        raise
    except MlflowError as error:
        if error.status == 404:  # MLflow before 3.10 has neither this endpoint nor workspaces
            return {}
        raise


def _version(client: MlflowClient) -> str | None:
    status, _content_type, data = client.request("GET", "/version", attempts=3)
    text = data[:100].decode("utf-8", "replace").strip()
    return text if status == 200 and _VERSION.fullmatch(text) else None
