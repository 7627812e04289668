# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 in the generator's pod. Its handle names the pod (with uid and restarts) and the directory of the load in it.

Every step is a short call to the API server, which the load itself does not need: one that does not respond is waited for.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_files, pod_secret
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests as manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import (
    STOP_TIMEOUT_S,
    attempt_directory,
    is_whole,
    k6_command,
    next_attempt,
    read_exit,
    read_state,
    recorded_attempts,
    started_attempt,
    unrecorded_attempt,
    usable_attempt,
    write_state,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Failure, GeneratorLostError, Load, Status
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_lifecycle import get_pod, load_prefix, remove_idle_pod
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import PodRpc, RejectedError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import is_complete
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import (
    OOM_KILLED,
    Termination,
    check_running,
    find_termination,
    restart_count,
)

# How often a rejected start is tried: the configuration may arrive damaged.
START_ATTEMPTS = 3
# A status is one exec, which costs the API server and the pod some milliseconds.
POLL_INTERVAL_S = 5.0
POLL_INTERVAL_MIN_S = 1.0
STATUS_TIMEOUT_S = 20.0
KILLED = 137
NO_EXIT_RECORD = Termination("killed", "k6 is gone and left no exit code, so the shell that watched it was killed too", False)


def container_of(handle: Mapping[str, Any]) -> Container:
    """Return the container in which the load of a handle runs."""
    return Container(handle["namespace"], handle["pod"], handle["container"])


def config_in_pod(config: Mapping[str, Any], directory: str, proxy: str | None = None) -> dict[str, Any]:
    """Return the configuration as the pod reads it: output to `directory`, the mounted Secret's files instead of the controller's, and the pod's proxy."""
    mlflow = dict(config.get("mlflow") or {})
    for key, name in (("token_file", manifests.TOKEN), ("token_map_file", manifests.TOKEN_MAP)):
        if mlflow.get(key):
            mlflow[key] = manifests.secret_file(name)
    if mlflow and proxy:
        mlflow["proxy"] = proxy
    return {**config, **({"mlflow": mlflow} if mlflow else {}), "out_dir": directory}


class PodBackend:
    """The backend `pod`: generator.pod in generator.namespace, which generator_pod created."""

    def __init__(self, connect: Callable[[], Cluster]) -> None:
        """`connect` returns the client; it is called until it succeeds once."""
        self._connect = connect
        self._client: Cluster | None = None
        self._peak_bytes: int | None = None
        self._block = 0

    @property
    def _cluster(self) -> Cluster:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def start(self, load: Load) -> dict[str, Any]:
        """Start k6 in the pod or attach to it (see Backend).

        Raises GeneratorLostError without a running pod, ClusterError, FileWriteError, and ValueError for a configuration against its schema.
        """
        state = usable_attempt(load, lambda known: self._is_usable(known["handle"], load.is_finished_reusable))
        if state is not None:
            return started_attempt(state, attached=True)
        previous = read_state(load.directory)
        if previous:
            self.stop(previous)
        pod = self._running_pod(load.generator["namespace"], load.generator["pod"])
        n = next_attempt(load.directory)
        # A controller without state.json finds the loads of its run by this prefix.
        prefix = load_prefix(load.directory.resolve().parents[1].name)
        directory = f"{manifests.RESULTS}/{prefix}{load.directory.name}.{n}.{uuid.uuid4().hex[:8]}"
        config = config_in_pod(load.config, directory, load.generator.get("proxy"))
        load.check(config)
        handle = _handle(pod, directory)
        rpc = PodRpc(self._cluster, container_of(handle))
        with self._translate_pod_failure(handle):
            known = _find_load(rpc, prefix, load)
            if known:
                state = write_state(load, n, {**handle, "directory": known}, started=_started_at(rpc, known))
                return started_attempt(state, attached=True)
            write_json(attempt_directory(load.directory, n) / "load_config.json", config)
            self._update_secret(rpc, ownership.run_id(pod), load)
            # Written before the start: a controller that is lost right after it still finds its load.
            state = write_state(load, n, handle)
            _launch(rpc, directory, config, load)
        return started_attempt(state, attached=False)

    def goes_on(self, directory: Path, generator: Mapping[str, Any], plan_digest: str) -> bool:
        """Return whether the load of a cell, begun by an earlier execution, runs or is complete and not recorded; other loads of its run are stopped.

        `directory` is that of the cell, `generator` that of target.json. A pod that does not run has no load. Raises ClusterError.
        """
        state = unrecorded_attempt(directory, plan_digest)
        if state is not None and (is_whole(Path(state["directory"])) or self._is_usable(state["handle"], is_finished_reusable=True)):
            return True
        pod = get_pod(self._cluster, generator["namespace"], generator["pod"])
        if pod is None or not check_running(pod, manifests.CONTAINER).ready:
            return False
        rpc = PodRpc(self._cluster, Container(generator["namespace"], generator["pod"], manifests.CONTAINER))
        prefix = load_prefix(directory.resolve().parents[1].name)
        found = False
        for name, phase, _digest, code in _loads(rpc, prefix):
            # A controller without local files knows the cell by the directory's name; whether the load is the requested one is decided when it starts.
            is_of_cell = PurePosixPath(name).name.startswith(f"{prefix}{directory.name}.") and not recorded_attempts(directory)
            if is_of_cell and (phase == "running" or (phase == "ended" and is_complete(int(code)))):
                found = True
            elif phase == "running":
                stop_k6(rpc, name)
        return found

    def status(self, attempt: Mapping[str, Any], with_progress: bool) -> Status:
        """Return the status (see Backend). A load whose files were fetched has ended, whatever became of its pod since."""
        handle = attempt["handle"]
        fetched = read_exit(Path(attempt["directory"]))
        if fetched is not None:
            return Status(False, exit=fetched)
        words = ["status", handle["directory"], *([str(self._block)] if with_progress else [])]
        try:
            response = PodRpc(self._cluster, container_of(handle), attempts=1).call(*words, timeout_s=STATUS_TIMEOUT_S)
        except ClusterError as error:
            return self._pod_status(handle, str(error))
        except RejectedError as rejection:
            return Status(True, note=str(rejection))
        return self._load_status(handle, response)

    def fetch(self, attempt: Mapping[str, Any], with_raw: bool) -> dict[str, Any]:
        """Fetch the files from the pod (see Backend). Raises GeneratorLostError, ClusterError and FileWriteError."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        if read_exit(directory) is not None:
            return {"files": [], "bytes": 0, "seconds": 0.0}
        with self._translate_pod_failure(handle):
            return pod_files.fetch(PodRpc(self._cluster, container_of(handle)), handle["directory"], directory, with_raw)

    def stop(self, attempt: Mapping[str, Any]) -> bool:
        """Stop k6 in the pod and fetch its files (see Backend); a pod that is gone has none. Raises ClusterError and FileWriteError."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        if read_exit(directory) is not None or not self._is_pod_running(handle):
            return False
        rpc = PodRpc(self._cluster, container_of(handle))
        ran = "stopped" in stop_k6(rpc, handle["directory"])
        try:
            pod_files.fetch(rpc, handle["directory"], directory, with_raw=True)
        except ClusterError as error:
            if error.reason != "Gone":
                raise
        return ran

    def poll_interval_s(self, left_s: float | None) -> float:
        """Return the pause before the next status (see Backend): shorter towards the end."""
        return POLL_INTERVAL_S if left_s is None else min(POLL_INTERVAL_S, max(POLL_INTERVAL_MIN_S, left_s / 2))

    @contextmanager
    def _translate_pod_failure(self, handle: Mapping[str, Any]) -> Iterator[None]:
        """Raise GeneratorLostError for any error that a lost pod causes."""
        try:
            yield
        except GeneratorLostError:
            raise
        except ClusterError as error:
            lost = find_termination(get_pod(self._cluster, handle["namespace"], handle["pod"]), handle["pod_uid"], handle["container"], handle["restarts"])
            if lost is None or not lost.is_retryable:
                raise
            raise GeneratorLostError(f"Pod {handle['namespace']}/{handle['pod']}: lost, {lost.text}. Retry with another pod.") from error

    def _is_pod_running(self, handle: Mapping[str, Any]) -> bool:
        if "pod_uid" not in handle:
            return False
        pod = get_pod(self._cluster, handle["namespace"], handle["pod"])
        return pod is not None and pod["metadata"]["uid"] == handle["pod_uid"] and check_running(pod, handle["container"]).ready

    def _is_usable(self, handle: Mapping[str, Any], is_finished_reusable: bool) -> bool:
        """Return whether the load runs in its pod, or is complete there and not fetched yet."""
        if not self._is_pod_running(handle):
            return False
        response = PodRpc(self._cluster, container_of(handle)).call("status", handle["directory"])
        if response["phase"] == "ended":
            return is_finished_reusable and is_complete(pod_files.exit_record(response["exit"])["exit_code"])
        return response["phase"] == "running"

    def _running_pod(self, namespace: str, name: str) -> dict[str, Any]:
        pod = get_pod(self._cluster, namespace, name)
        readiness = check_running(pod, manifests.CONTAINER)
        if pod is None or not readiness.ready or pod["metadata"].get("deletionTimestamp"):
            details = "; ".join(readiness.reasons) or "it is being deleted"
            raise GeneratorLostError(f"Pod {namespace}/{name}: not ready for a load ({details}). The entry point pod of role k6_runner creates it.")
        return pod

    def _update_secret(self, rpc: PodRpc, run_id: str, load: Load) -> None:
        mlflow = load.config.get("mlflow") or {}
        files = pod_secret.read_files(mlflow.get("token_file"), mlflow.get("token_map_file"), load.ca_file)
        objects = Objects(self._cluster, run_id)
        objects.present(pod_secret.secret(rpc.container.namespace, rpc.container.pod, files))
        try:
            pod_secret.wait_until_mounted(self._cluster, rpc, files)
        except pod_secret.NotMountedError as error:
            # A new pod gets the Secret as it is; this one would be found good by whatever creates it.
            remove_idle_pod(objects, rpc.container.namespace, rpc.container.pod)
            raise GeneratorLostError(f"{error} The pod was deleted; retry with another.") from error

    def _load_status(self, handle: Mapping[str, Any], response: Mapping[str, str]) -> Status:
        if "peak_kb" in response:
            self._peak_bytes = int(response["peak_kb"]) * 1024
        self._block = int(response.get("block", self._block))
        requests, _blank, failures = response.get("counts", "0 0").partition(" ")
        age = int(response["elapsed_cs"]) / 100 if "elapsed_cs" in response else None
        status = Status(response["phase"] == "running", age, int(requests), int(failures))
        if response["phase"] == "ended":
            record = {**pod_files.exit_record(response["exit"]), "max_rss_bytes": self._peak_bytes}
            if record["exit_code"] == KILLED and record["oom_kills"]:
                return status._replace(failure=_failure(handle, Termination("oom", f"k6 ran out of memory ({OOM_KILLED}, exit code {KILLED})", False)))
            return status._replace(exit=record)
        if response["phase"] != "running":
            pod_status = self._pod_status(handle, "k6 is gone")
            return pod_status._replace(is_running=False, failure=pod_status.failure or _failure(handle, NO_EXIT_RECORD))
        return status

    def _pod_status(self, handle: Mapping[str, Any], note: str) -> Status:
        """Return the status according to the pod's own status when its container does not respond."""
        try:
            pod = get_pod(self._cluster, handle["namespace"], handle["pod"], attempts=1, timeout_s=STATUS_TIMEOUT_S)
        except ClusterError as error:
            return Status(True, note=str(error))
        lost = find_termination(pod, handle["pod_uid"], handle["container"], handle["restarts"])
        return Status(lost is None, note=note, failure=_failure(handle, lost) if lost else None)


def _handle(pod: Mapping[str, Any], directory: str) -> dict[str, Any]:
    return {
        "pod_uid": pod["metadata"]["uid"],
        "namespace": pod["metadata"]["namespace"],
        "pod": pod["metadata"]["name"],
        "container": manifests.CONTAINER,
        "restarts": restart_count(pod, manifests.CONTAINER),
        "node": pod["spec"].get("nodeName"),
        "directory": directory,
    }


def _failure(handle: Mapping[str, Any], lost: Termination) -> Failure:
    advice = "It is re-created and the cell retried once." if lost.is_retryable else "Give it more (k6_runner_pod_resources), or load it less."
    return Failure(f"lost its pod {handle['namespace']}/{handle['pod']}: {lost.text}. {advice}", lost.is_retryable)


def _find_load(rpc: PodRpc, prefix: str, load: Load) -> str:
    """Return the directory of the requested load in the pod, or an empty text; stop others of the same run.

    A controller without local files finds the load of an earlier controller by the run in the directory's name and by the same configuration.
    """
    found = ""
    for directory, phase, digest, code in _loads(rpc, prefix):
        is_usable = phase == "running" or (load.is_finished_reusable and phase == "ended" and is_complete(int(code)))
        if is_usable and digest == hashlib.sha256(_body(config_in_pod(load.config, directory))).hexdigest():
            found = directory
        elif phase == "running":
            stop_k6(rpc, directory)
    return found


def _loads(rpc: PodRpc, prefix: str) -> list[tuple[str, str, str, str]]:
    """Return the loads in the pod whose names begin with a prefix: directory, phase, checksum of the configuration, exit code."""
    try:
        listed = rpc.call("loads", manifests.RESULTS, prefix)
    except RejectedError:
        return []  # the pod has the scripts of an older version
    return [(directory, *value.split()) for directory, value in listed.items()]  # type: ignore[misc]


def stop_k6(rpc: PodRpc, directory: str) -> dict[str, str]:
    """Stop k6 in a pod; the response has `stopped` if it ran. It gets time to write its summary first. Raises ClusterError and RejectedError."""
    return rpc.call("stop", directory, str(STOP_TIMEOUT_S), timeout_s=STOP_TIMEOUT_S + 30)


def _started_at(rpc: PodRpc, directory: str) -> float:
    """Return when a load in the pod started, in epoch seconds of this machine."""
    return time.time() - int(rpc.call("status", directory).get("elapsed_cs", 0)) / 100


def _body(config: Mapping[str, Any]) -> bytes:
    """Return a configuration as the pod receives it."""
    return json.dumps(config).encode()


def command_in_pod(load: Load, directory: str, cores: float | None) -> dict[str, Any]:
    """Return the command of k6 (see k6_command) in a pod that may use so many cores, with the files of the mounted Secret."""
    ca_file = manifests.secret_file(manifests.CA_BUNDLE) if load.ca_file else None
    script = f"{manifests.SCRIPTS}/{load.script_name}"
    command = k6_command(manifests.PROGRAM, script, PurePosixPath(directory), ca_file, load.generator.get("proxy"), load.live_url)
    # k6 built before Go 1.25 uses every core of the node and is throttled.
    return {**command, "env": {**command["env"], **({"GOMAXPROCS": str(max(1, math.ceil(cores)))} if cores else {})}}


def _launch(rpc: PodRpc, directory: str, config: Mapping[str, Any], load: Load) -> None:
    command = command_in_pod(load, directory, load.generator.get("cores"))
    body = _body(config)
    words = ["start", directory, str(len(body)), hashlib.sha256(body).hexdigest()]
    words += [*(f"{name}={value}" for name, value in command["env"].items()), "--", *command["argv"]]
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            rpc.call(*words, stdin=body)
        except RejectedError as rejection:
            if rejection.reason == "damaged" and attempt < START_ATTEMPTS:
                continue
            raise ClusterError(_explain(rpc.container, rejection)) from rejection
        return


def _explain(container: Container, rejection: RejectedError) -> str:
    sentences = {
        "busy": f"k6 runs in it already (pid {rejection.about}). Wait for its end, or stop it (playbooks/teardown.yml).",
        "damaged": f"configuration damaged on its way, {START_ATTEMPTS} times. Check the connection to the API server.",
        "unwritable": f"{rejection.about} not writable. Enlarge its volume (k6_runner_pod_volume_size), or set k6_runner_pod_fs_group for a claim.",
        "silent": f"k6 not started within 10 s (see {rejection.about} in the pod). Check the pod's processor and memory.",
    }
    return f"Pod {container.namespace}/{container.pod}: {sentences.get(rejection.reason, str(rejection))}"
