# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks of every kind, each loaded only where it is used: the libraries of the others cost half a second of processor time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.settings import SettingsError, checked
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import Sink

Maker = Callable[[Mapping[str, Any], Mapping[str, Any]], Sink]


class MissingLibrary(Exception):
    """A Python library that a kind of sink needs is not installed; `trace` is the traceback of its import."""

    def __init__(self, library: str, trace: str | None) -> None:
        super().__init__(f"Library {library}: is not installed. Install it for the Python that runs the modules.")
        self.library = library
        self.trace = trace


def _directory(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink

    return DirectorySink(**options)


def _http(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import URLLIB3_ERROR
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.http_put import HttpSink

    _need("urllib3", URLLIB3_ERROR)
    return HttpSink(**options)


def _opensearch(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import URLLIB3_ERROR
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.opensearch import OpenSearchSink

    _need("urllib3", URLLIB3_ERROR)
    return OpenSearchSink(**options)


def _s3(options: Mapping[str, Any], _cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.s3 import BOTOCORE_ERROR, S3Sink

    _need("botocore", BOTOCORE_ERROR)
    return S3Sink(**options)


def _pvc(options: Mapping[str, Any], cluster: Mapping[str, Any]) -> Sink:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
    from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
    from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import VolumeSink

    _need(LIBRARIES, MISSING)
    try:
        reached = cluster_from(cluster["login"])
    except ClusterError as error:
        raise SettingsError(f"Sink {options['name']} (pvc): {error}") from error
    return VolumeSink(options["name"], reached, cluster["run_id"], cluster["pod"], options)


def _need(library: str, error: str | None) -> None:
    if error:
        raise MissingLibrary(library, error)


_MAKERS: dict[str, Maker] = {"directory": _directory, "pvc": _pvc, "s3": _s3, "http": _http, "opensearch": _opensearch}


def make(given: Iterable[Mapping[str, Any]], cluster: Mapping[str, Any]) -> list[Sink]:
    """Returns the sinks for a user's settings. `cluster` says how to reach the cluster of a volume (module_options.cluster_options).

    Raises SettingsError with every problem, SinkError, and MissingLibrary.
    """
    made = []
    for settings in checked(given):
        options = {key: value for key, value in settings.items() if key != "kind"}
        made.append(_MAKERS[settings["kind"]](options, cluster))
    return made
