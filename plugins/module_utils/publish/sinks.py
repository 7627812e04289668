# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks of every kind, each loaded only where it is used: the libraries of the others cost half a second of processor time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_params, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.settings import SettingsError, checked
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import Sink

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING: str | None = traceback.format_exc()
else:
    MISSING = None

# For missing_required_lib and its `exception`.
LIBRARY = "jsonschema"

Factory = Callable[[Mapping[str, Any], Mapping[str, Any]], Sink]


class MissingLibrary(Exception):
    """A Python library that a kind of sink needs is not installed; `trace` is the traceback of its import."""

    def __init__(self, library: str, trace: str | None) -> None:
        super().__init__(f"Library {library}: not installed. Install it for the Python that runs the modules.")
        self.library = library
        self.trace = trace


def _directory(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink

    return DirectorySink(**options)


def _http(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http import URLLIB3_ERROR
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.http_put import HttpSink

    _require("urllib3", URLLIB3_ERROR)
    return HttpSink(**options)


def _opensearch(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.opensearch import OPENSEARCH_ERROR, OpenSearchSink

    _require("opensearch-py", OPENSEARCH_ERROR)
    return OpenSearchSink(**options)


def _s3(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.s3 import BOTOCORE_ERROR, S3Sink

    _require("botocore", BOTOCORE_ERROR)
    return S3Sink(**options)


def _pvc(options: Mapping[str, Any], cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import VolumeSink

    _require(LIBRARIES, MISSING)
    try:
        connected = cluster_from(cluster["login"])
    except ClusterError as error:
        raise SettingsError(f"Sink {options['name']} (pvc): {error}") from error
    return VolumeSink(options["name"], connected, cluster["run_id"], cluster["pod"], options)


def _require(library: str, error: str | None) -> None:
    if error:
        raise MissingLibrary(library, error)


_FACTORIES: dict[str, Factory] = {"directory": _directory, "pvc": _pvc, "s3": _s3, "http": _http, "opensearch": _opensearch}


def create_sinks(given: Iterable[Mapping[str, Any]], cluster: Mapping[str, Any]) -> list[Sink]:
    """Return the sinks for a user's settings. `cluster` says how to reach the cluster of a volume (cluster_options).

    Raises SettingsError with every problem, SinkError, and MissingLibrary.
    """
    created = []
    for settings in checked(given):
        options = {key: value for key, value in settings.items() if key != "kind"}
        created.append(_FACTORIES[settings["kind"]](options, cluster))
    return created


def sink_spec() -> dict[str, Any]:
    """Return the options of every module that works with sinks."""
    return {
        **connection_spec(),
        "sinks": {"type": "list", "elements": "dict", "required": True},
        "pod": {"type": "dict", "default": {}},
        "schema_directory": {"type": "path", "required": True},
    }


def cluster_options(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return how to reach the cluster of a volume: the login, the settings of the pod that mounts it, and the run that makes it."""
    return {"login": connection_params(params), "pod": params["pod"], "run_id": run_id}
