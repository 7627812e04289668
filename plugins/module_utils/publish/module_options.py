# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules of sinks share."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_params, connection_spec

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING: str | None = traceback.format_exc()
else:
    MISSING = None

# For missing_required_lib and its `exception`.
LIBRARY = "jsonschema"


def sink_spec() -> dict[str, Any]:
    """Returns the options of every module that works with sinks."""
    return {
        **connection_spec(),
        "sinks": {"type": "list", "elements": "dict", "required": True},
        "pod": {"type": "dict", "default": {}},
        "schema_directory": {"type": "path", "required": True},
    }


def cluster_options(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Returns how to reach the cluster of a volume: the login, the settings of the pod that mounts it, and the run that makes it."""
    return {"login": connection_params(params), "pod": params["pod"], "run_id": run_id}
