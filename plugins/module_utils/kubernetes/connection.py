# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' options for reaching a cluster (perfscale.mlflow.cluster_connection), and the client made from them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import KUBERNETES_ERROR, Cluster, connect

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
except ImportError:
    AUTH_ARG_SPEC = {}
    CORE_ERROR: str | None = traceback.format_exc()
else:
    CORE_ERROR = None

# For missing_required_lib and its `exception`.
LIBRARIES = "kubernetes and the collection kubernetes.core"
MISSING = CORE_ERROR or KUBERNETES_ERROR


def auth_spec() -> dict[str, Any]:
    """Returns the argument spec documented in the fragment perfscale.mlflow.cluster_connection."""
    return dict(AUTH_ARG_SPEC)


def cluster_from(options: Mapping[str, Any], connections: int = 8) -> Cluster:
    """Returns the client for a module's parameters. Raises ClusterError on unusable ones."""
    return connect({name: options[name] for name in AUTH_ARG_SPEC}, connections)
