# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules of sinks share."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
except ImportError:  # only the sink in a cluster needs it, and says so
    AUTH_ARG_SPEC = {}

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
        **AUTH_ARG_SPEC,
        "sinks": {"type": "list", "elements": "dict", "required": True},
        "pod": {"type": "dict", "default": {}},
        "schema_directory": {"type": "path", "required": True},
    }


def cluster_options(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Returns how to reach the cluster of a volume: the login, the settings of the pod that mounts it, and the run that makes it."""
    return {"login": {name: params[name] for name in AUTH_ARG_SPEC}, "pod": params["pod"], "run_id": run_id}
