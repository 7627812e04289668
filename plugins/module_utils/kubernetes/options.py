# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for connecting to a cluster: those of kubernetes.core's modules, with the same K8S_AUTH_* environment variables.

Nothing here imports the client library, which costs half a second of CPU: an action plugin reads these options for loads that need no cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_PROXY_HEADERS: dict[str, dict[str, Any]] = {
    "proxy_basic_auth": {"type": "str", "no_log": True},
    "basic_auth": {"type": "str", "no_log": True},
    "user_agent": {"type": "str"},
}
# Documented in the fragment perfscale.mlflow.cluster_connection.
CONNECTION_OPTIONS: dict[str, dict[str, Any]] = {
    "kubeconfig": {"type": "raw", "no_log": True},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"]},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "proxy_headers": {"type": "dict", "options": _PROXY_HEADERS},
    "persist_config": {"type": "bool"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}
_FALSE = frozenset({"0", "false", "no"})


def connection_spec() -> dict[str, Any]:
    """Return the connection options for a module's argument spec."""
    return dict(CONNECTION_OPTIONS)


def connection_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connection options among a module's parameters."""
    return {name: params[name] for name in CONNECTION_OPTIONS}


def complete(options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the options that are set, those that are not given taken from K8S_AUTH_<OPTION> or K8S_AUTH_<ALIAS> of the environment (default: os.environ)."""
    environment = os.environ if environment is None else environment
    found = {name: value for name, value in options.items() if value is not None}
    for name, spec in CONNECTION_OPTIONS.items():
        if name not in found and (value := _from_environment(name, spec, environment)) is not None:
            found[name] = value
    return found


def _from_environment(name: str, spec: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    if spec["type"] == "dict":
        prefix = f"K8S_AUTH_{name.upper()}_"
        return {key: environment[prefix + key.upper()] for key in spec["options"] if prefix + key.upper() in environment} or None
    text = next((environment[key] for key in (f"K8S_AUTH_{word.upper()}" for word in (name, *spec.get("aliases", ()))) if environment.get(key)), None)
    if text is None:
        return None
    if spec["type"] == "bool":
        return text.lower() not in _FALSE
    return [part for part in text.split(",") if part] if spec["type"] == "list" else text
