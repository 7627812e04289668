# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of every kind of load generator, and the one place where `generator.kind` of target.json chooses one.

Another kind is a class with the methods of `Backend`, a branch of `create_backend`, its name in files/schemas/target.json, its handle in
files/schemas/state.json, and a role that writes its part of target.json. Nothing else of a run knows which kind it is.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import ProcessError

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
    import psutil  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    IMPORT_ERROR: str | None = traceback.format_exc()
else:
    IMPORT_ERROR = None

KINDS = ("process", "pod", "k6_operator")


class MissingLibraryError(Exception):
    """A Python library that this kind of generator needs is missing: `libraries` and the `trace` of the import."""

    def __init__(self, libraries: str, trace: str) -> None:
        super().__init__(f"Python library {libraries}: not installed.")
        self.libraries = libraries
        self.trace = trace


class GeneratorLostError(ClusterError):
    """The generator is gone; the same load may be started on another one."""


# What the methods of a backend raise, each with a sentence for the user.
ERRORS = (ClusterError, FileWriteError, ProcessError, ValueError)


class Workload(NamedTuple):
    """A script in files/k6 and the schema in files/schemas that its configuration follows."""

    script: str
    config_schema: str


WORKLOADS = {
    "load": Workload("mlflow_scale_test.js", "load_config"),
    "prefill": Workload("mlflow_prefill_tenants.js", "prefill_config"),
}


@dataclass(frozen=True)
class Load:
    """A load to start.

    `directory` holds state.json and the attempts, `generator` is that of target.json, `config` has no secret, `scripts_dir` is files/k6, `script`
    replaces the workload's own, `ca_file` is what k6 trusts instead of the system's certificates, `live_url` where it sends its metrics while it runs, if
    anywhere.
    """

    directory: Path
    generator: Mapping[str, Any]
    config: Mapping[str, Any]
    scripts_dir: str
    schema_dir: str
    workload: str = "load"
    script: str = ""
    ca_file: str | None = None
    live_url: str = ""
    plan_digest: str = ""
    is_finished_reusable: bool = True

    @property
    def script_name(self) -> str:
        """Return the name of the script in files/k6."""
        return self.script or WORKLOADS[self.workload].script

    def check(self, config: Mapping[str, Any]) -> None:
        """Raise ValueError unless the configuration, as k6 will read it, follows the schema of the workload."""
        check(config, WORKLOADS[self.workload].config_schema, self.schema_dir)


class Failure(NamedTuple):
    """Why a load has no usable exit record: the end of a sentence, and whether the same load may be retried on another generator."""

    text: str
    is_retryable: bool


class Status(NamedTuple):
    """The status of a load.

    `age_s`: seconds since it started, None when the generator did not respond. `requests`, `failures`: how many were added since the last status
    with progress. `note`: why the generator did not respond. Once it has ended, either `exit` (the exit record) or `failure` is set.
    """

    is_running: bool
    age_s: float | None = None
    requests: int = 0
    failures: int = 0
    note: str = ""
    exit: dict[str, Any] | None = None
    failure: Failure | None = None


class Backend(Protocol):
    """One kind of load generator. An instance follows one load at a time.

    An attempt is a mapping with `directory` (the attempt's files on the controller) and `handle` (how this kind finds its load again; stored in
    state.json), as `start` and `attempt.read_state` return it. A load outlives its controller: every method finds it by its handle alone. A kind
    whose load has several shards behaves as one: it is running while one shard is, its requests are sums, its exit record is the worst one, and
    `fetch` fetches the files of all shards or fails.
    """

    def start(self, load: Load) -> dict[str, Any]:
        """Start an attempt, or attach to one, and return {n, directory, handle, started (epoch seconds), attached}.

        A running load of the same plan digest is attached to. A finished one that is not recorded yet is used when `load.is_finished_reusable` and
        its exit code means a complete window. Any other load of the same run is stopped first, since two concurrent loads distort each other. state.json and
        load_config.json are written before the load can be lost. Raises GeneratorLostError when another generator may be used, else one of ERRORS.
        """

    def status(self, attempt: Mapping[str, Any], with_progress: bool) -> Status:
        """Return the status in one short call; `with_progress` counts requests as well. A generator that does not respond counts as running."""

    def fetch(self, attempt: Mapping[str, Any], with_raw: bool) -> dict[str, Any]:
        """Fetch the files of an ended attempt into its directory, verify them, and return {files, bytes, seconds}; nothing is fetched twice.

        Afterwards the directory holds k6.exit.json, k6.log, the summary and, `with_raw`, raw.csv or raw.csv.gz. Raises one of ERRORS.
        """

    def stop(self, attempt: Mapping[str, Any]) -> bool:
        """Stop an attempt, fetch its files as far as they are reachable, and return whether it ran. k6 gets time to write its summary first."""

    def poll_interval_s(self, left_s: float | None) -> float:
        """Return the pause before the next status when `left_s` seconds of load remain, as far as is known."""


def create_backend(kind: str, connection: Mapping[str, Any]) -> Backend:
    """Return the backend of a kind; `connection` has the options of the fragment perfscale.mlflow.cluster_connection.

    Does not connect yet. Raises MissingLibraryError, and ValueError for an unknown kind.
    """
    # Each kind is imported where it is used: the client of the cluster costs half a second of CPU, which a load on this machine does not need to spend.
    if IMPORT_ERROR:
        raise MissingLibraryError("jsonschema and psutil", IMPORT_ERROR)
    if kind == "process":
        from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import ProcessBackend

        return ProcessBackend()
    if kind in ("pod", "k6_operator"):
        from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.k6_operator import cluster_backend
        from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from

        if MISSING:
            raise MissingLibraryError(LIBRARIES, MISSING)
        return cluster_backend(kind, lambda: cluster_from(connection))
    raise ValueError(f"Generator of kind {kind}: unknown kind. Allowed are {', '.join(KINDS[:-1])} and {KINDS[-1]}.")
