# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 in the generator's pod: started, attached to, fetched, stopped. state.json says which pod and which directory in it."""

from __future__ import annotations

import hashlib
import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_access, pod_files
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_layout as layout
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import (
    COMPLETE_EXIT_CODES,
    attachable,
    attempt_directory,
    exit_of,
    facts_of,
    next_attempt,
    read_state,
    write_state,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_place import get
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_script import PodScript, Refused
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import STOP_TIMEOUT_S, command_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_state import fate, restarts, verdict

# How often a refused start is tried: the configuration may come damaged.
START_TRIES = 3


class PodLost(ClusterError):
    """The pod is not there to load from; another one may be."""


def container_of(handle: Mapping[str, Any]) -> Container:
    """Returns where the load of a handle runs."""
    return Container(handle["namespace"], handle["pod"], handle["container"])


def start(
    cluster: Cluster, directory: Path, config: dict[str, Any], launch: Mapping[str, Any], plan_digest: str, is_finished_reusable: bool, schema_dir: str
) -> dict[str, Any]:
    """Starts a new attempt in the pod, or returns the one to go on with.

    `launch` has generator (of target.json), script, config_schema, ca_file. Returns {n, directory, handle, started, attached}.
    Raises PodLost without a running pod, ClusterError, FileWriteError, and ValueError for a configuration against its schema.
    """
    state = attachable(directory, plan_digest, is_finished_reusable, lambda known: _is_alive(cluster, known["handle"], is_finished_reusable))
    if state is not None:
        return facts_of(state, attached=True)
    salvage(cluster, directory)
    generator = launch["generator"]
    pod = _running(cluster, generator["namespace"], generator["pod"])
    n = next_attempt(directory)
    # The name says whose load it is to a controller that has no state.json.
    mark = f"{directory.resolve().parents[1].name}@"
    remote = f"{layout.RESULTS}/{mark}{directory.name}.{n}.{uuid.uuid4().hex[:8]}"
    whole = inside(config, remote)
    if launch.get("config_schema"):
        check(whole, launch["config_schema"], schema_dir)
    handle = {
        "pod_uid": pod["metadata"]["uid"],
        "namespace": generator["namespace"],
        "pod": generator["pod"],
        "container": layout.CONTAINER,
        "restarts": restarts(pod, layout.CONTAINER),
        "node": pod["spec"].get("nodeName"),
        "directory": remote,
    }
    script = PodScript(cluster, container_of(handle))
    with _naming_its_loss(cluster, handle):
        known = _known(script, mark, config, is_finished_reusable)
        if known:
            found = write_state(directory, n, plan_digest, {**handle, "directory": known}, schema_dir, started=_began(script, known))
            return facts_of(found, attached=True)
        write_json(attempt_directory(directory, n) / "load_config.json", whole)
        _log_in(Objects(cluster, ownership.run_id(pod)), script, config.get("mlflow") or {}, launch.get("ca_file"))
        # Written before the start: a controller that is lost right after it still finds its load.
        started = write_state(directory, n, plan_digest, handle, schema_dir)
        _launch(script, remote, whole, f"{layout.SCRIPTS}/{launch['script']}", generator.get("cores"), bool(launch.get("ca_file")))
    return facts_of(started, attached=False)


def inside(config: Mapping[str, Any], remote: str) -> dict[str, Any]:
    """Returns the configuration as it holds in the pod, where the files of the controller are those of the Secret."""
    mlflow = dict(config.get("mlflow") or {})
    for key, name in (("token_file", layout.TOKEN), ("token_map_file", layout.TOKEN_MAP)):
        if mlflow.get(key):
            mlflow[key] = layout.access_file(name)
    return {**config, **({"mlflow": mlflow} if mlflow else {}), "out_dir": remote}


def fetch(cluster: Cluster, directory: Path, with_raw: bool) -> dict[str, Any]:
    """Brings the files of the latest attempt to the controller, unless they are there; returns {files, bytes, seconds}. Raises ClusterError, FileWriteError."""
    state = read_state(directory)
    if not state:
        raise ClusterError(f"Directory {directory}: has no state.json, so no load was started for it. Start one first.")
    attempt = Path(state["directory"])
    if exit_of(attempt) is not None:
        return {"files": [], "bytes": 0, "seconds": 0.0}
    handle = state["handle"]
    with _naming_its_loss(cluster, handle):
        return pod_files.fetch(PodScript(cluster, container_of(handle)), handle["directory"], attempt, with_raw)


def stop(cluster: Cluster, directory: Path) -> bool:
    """Stops the load of the latest attempt, or of every cell when the directory is that of a run, and fetches what it left; returns whether one ran.

    Raises ClusterError.
    """
    stopped = [salvage(cluster, path.parent) for path in sorted(directory.resolve().rglob("state.json"))]
    return any(stopped)


def salvage(cluster: Cluster, directory: Path) -> bool:
    """Stops the load of a directory's latest attempt if it runs, and fetches as much of its files as can be had; returns whether it ran."""
    state = read_state(directory)
    if not state or "pod_uid" not in state["handle"] or exit_of(Path(state["directory"])) is not None:
        return False
    handle = state["handle"]
    pod = get(cluster, handle["namespace"], handle["pod"])
    if pod is None or pod["metadata"]["uid"] != handle["pod_uid"] or not verdict(pod, handle["container"]).ready:
        return False
    script = PodScript(cluster, container_of(handle))
    ran = "stopped" in script.ask("stop", handle["directory"], str(STOP_TIMEOUT_S), timeout_s=STOP_TIMEOUT_S + 30)
    try:
        pod_files.fetch(script, handle["directory"], Path(state["directory"]), with_raw=True)
    except ClusterError as error:
        if error.reason != "Gone":
            raise
    return ran


@contextmanager
def _naming_its_loss(cluster: Cluster, handle: Mapping[str, Any]) -> Iterator[None]:
    """What fails because the pod is lost is PodLost, whatever it looked like."""
    try:
        yield
    except ClusterError as error:
        pod = get(cluster, handle["namespace"], handle["pod"])
        lost = fate(pod, handle["pod_uid"], handle["container"], handle["restarts"])
        if lost is None or not lost.is_retryable:
            raise
        raise PodLost(f"Pod {handle['namespace']}/{handle['pod']}: was lost: {lost.text}. Another one may do the same again.") from error


def _is_alive(cluster: Cluster, handle: Mapping[str, Any], is_finished_reusable: bool) -> bool:
    """Whether the load runs in its pod, or ended well there and was not fetched yet."""
    if "pod_uid" not in handle:
        return False
    pod = get(cluster, handle["namespace"], handle["pod"])
    if pod is None or pod["metadata"]["uid"] != handle["pod_uid"] or not verdict(pod, handle["container"]).ready:
        return False
    seen = PodScript(cluster, container_of(handle)).ask("status", handle["directory"])
    is_complete = seen["phase"] == "ended" and pod_files.exit_record(seen["exit"])["exit_code"] in COMPLETE_EXIT_CODES
    return seen["phase"] == "running" or (is_finished_reusable and is_complete)


def _running(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    pod = get(cluster, namespace, name)
    seen = verdict(pod, layout.CONTAINER)
    if pod is None or not seen.ready or pod["metadata"].get("deletionTimestamp"):
        said = "; ".join(seen.problems or seen.doubts or seen.waiting_for) or "it is being deleted"
        raise PodLost(f"Pod {namespace}/{name}: is not there to load from ({said}). The entry point pod_present of role k6_runner makes it.")
    return pod


def _known(script: PodScript, mark: str, config: Mapping[str, Any], is_finished_reusable: bool) -> str:
    """Returns the directory of a load in the pod that is the wanted one, or an empty text; stops others of the same run.

    A controller that starts from nothing finds the load of the one before it so: by the run in the directory's name and by the very configuration.
    """
    known = ""
    try:
        listed = script.ask("loads", layout.RESULTS, mark)
    except Refused:
        return ""  # the pod has the scripts of an older version
    for directory, value in listed.items():
        phase, digest, code = value.split()
        is_usable = phase == "running" or (is_finished_reusable and phase == "ended" and int(code) in COMPLETE_EXIT_CODES)
        if is_usable and digest == hashlib.sha256(_sent(inside(config, directory))).hexdigest():
            known = directory
        elif phase == "running":
            script.ask("stop", directory, str(STOP_TIMEOUT_S), timeout_s=STOP_TIMEOUT_S + 30)
    return known


def _began(script: PodScript, directory: str) -> float:
    """Returns when a load in the pod began, in epoch seconds of this machine."""
    return time.time() - int(script.ask("status", directory).get("elapsed_cs", 0)) / 100


def _sent(config: Mapping[str, Any]) -> bytes:
    """Returns a configuration as the pod receives it."""
    return json.dumps(config).encode()


def _log_in(objects: Objects, script: PodScript, mlflow: Mapping[str, Any], ca_file: str | None) -> None:
    held = pod_access.content(mlflow.get("token_file"), mlflow.get("token_map_file"), ca_file)
    pod_access.supply(objects, script.container.namespace, script.container.pod, held)
    pod_access.renew(objects.cluster, script, held)


def _launch(script: PodScript, remote: str, config: Mapping[str, Any], program: str, cores: float | None, has_authorities: bool) -> None:
    command = command_of(layout.PROGRAM, program, PurePosixPath(remote), layout.access_file(layout.AUTHORITIES) if has_authorities else None)
    # k6 built before Go 1.25 takes every core of the node for its own, and is throttled.
    settings = {**command["env"], **({"GOMAXPROCS": str(max(1, math.ceil(cores)))} if cores else {})}
    body = _sent(config)
    words = ["start", remote, str(len(body)), hashlib.sha256(body).hexdigest()]
    words += [*(f"{name}={value}" for name, value in settings.items()), "--", *command["argv"]]
    for attempt in range(1, START_TRIES + 1):
        try:
            script.ask(*words, stdin=body)
        except Refused as refusal:
            if refusal.reason == "damaged" and attempt < START_TRIES:
                continue
            raise ClusterError(_refusal(script, refusal)) from refusal
        return


def _refusal(script: PodScript, refusal: Refused) -> str:
    where = f"Pod {script.container.namespace}/{script.container.pod}"
    sentences = {
        "busy": f"k6 runs in it already (pid {refusal.about}). Wait for its end, or stop it (playbooks/teardown.yml).",
        "damaged": f"the configuration came damaged {START_TRIES} times. Check the connection to the API server.",
        "unwritable": f"{refusal.about} cannot be written. Make its volume larger (k6_runner_pod_volume_size), or set k6_runner_pod_fs_group for a claim.",
        "silent": f"k6 did not start within 10 s (see {refusal.about} in the pod). Look at the pod's processor and memory.",
    }
    return f"{where}: {sentences.get(refusal.reason, str(refusal))}"
