# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 in several runners of the k6-operator: one TestRun per attempt. Its handle names the TestRun and the directory of the load in each runner.

In a runner `k6` is files/k6/pod/load.sh, which starts k6 and keeps the container until the files were fetched, by the same short calls as from the
generator's pod. That pod is there too: it does what is not divided, such as the prefill.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_files, pod_secret, shards, test_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests as manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import (
    attempt_directory,
    is_whole,
    k6_arguments,
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
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.division import divide
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod import (
    KILLED,
    NO_EXIT_RECORD,
    POLL_INTERVAL_MIN_S,
    STATUS_TIMEOUT_S,
    PodBackend,
    command_in_pod,
    config_in_pod,
    stop_k6,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_lifecycle import load_prefix
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import PodRpc, RejectedError
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.test_run_state import Observed, by_job, exit_of, start_readiness, termination_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import STOPPED, is_complete, meaning
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import wait

PARALLELISM = 8
START_POLL_S = 1.0
# A controller's retry, such as that of a pod that a quota rejected, counts after so many observations.
START_PATIENCE = 15
# Images that are not on a node yet take minutes, once: the second try has so many times the margin.
SECOND_MARGIN = 4
# What is paused after this share of the margin is started through the API server.
RESCUE_SHARE = 0.5
# The time to fetch the files of a runner that is being deleted is Kubernetes' grace period of 30 s, so ends are looked for often.
POLL_INTERVAL_S = 3.0
DELETE_TIMEOUT_S = 90.0
PEAKS_FILE = "peaks.json"
_LOG_LENGTH = 1000
_UNPAUSE = {"data": {"type": "status", "id": "default", "attributes": {"paused": False}}}


class K6OperatorBackend:
    """The backend `k6_operator`: generator.shards runners in generator.namespace; generator.pod for what is not divided."""

    def __init__(self, connect: Callable[[], Cluster]) -> None:
        """`connect` returns the client; it is called until it succeeds once."""
        self._connect = connect
        self._client: Cluster | None = None
        self._pod = PodBackend(lambda: self._cluster)
        self._blocks: dict[int, int] = {}
        self._peaks: dict[str, int] = {}

    @property
    def _cluster(self) -> Cluster:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def start(self, load: Load) -> dict[str, Any]:
        """Create a TestRun and wait until every runner has left its pause, or attach to one (see Backend).

        Raises GeneratorLostError when it was deleted meanwhile, ClusterError when a runner does not start, FileWriteError, and ValueError for a
        configuration against its schema.
        """
        if load.workload != "load":
            return self._pod.start(_undivided(load))
        state = usable_attempt(load, lambda known: self._is_usable(known["handle"], load.is_finished_reusable))
        if state is None:
            previous = read_state(load.directory)
            if previous:
                self.stop(previous)
            state = self._found(load)
        if state is not None and self._has_started(state):
            return started_attempt(state, attached=True)
        margin_s = float(load.generator["runner"]["start_margin_s"])
        try:
            state = self._create(load, margin_s)
            return started_attempt(state, attached=False)
        except _LateStartError:
            return started_attempt(self._create(load, SECOND_MARGIN * margin_s), attached=False)

    def goes_on(self, directory: Path, generator: Mapping[str, Any], plan_digest: str) -> bool:
        """Return whether the load of a cell, begun by an earlier execution, runs or is complete and not recorded; other loads of its run are stopped.

        `directory` is that of the cell, `generator` that of target.json. Raises ClusterError.
        """
        state = unrecorded_attempt(directory, plan_digest)
        if state is not None and (is_whole(Path(state["directory"])) or self._is_usable(state["handle"], is_finished_reusable=True)):
            return True
        prefix = load_prefix(directory.resolve().parents[1].name)
        found = False
        for entry in self._test_runs(generator["namespace"], prefix.rstrip("@")):
            is_of_cell = _annotation(entry, test_run.LOAD) == f"{prefix}{directory.name}" and not recorded_attempts(directory)
            if is_of_cell and self._is_usable(_handle_of(entry), is_finished_reusable=True):
                found = True
            else:
                self._delete(generator["namespace"], entry["metadata"]["name"])
        return found

    def status(self, attempt: Mapping[str, Any], with_progress: bool) -> Status:
        """Return the status (see Backend): running until every shard has ended. The files of a shard that is lost are fetched at once."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        if "test_run" not in handle:
            return self._pod.status(attempt, with_progress)
        fetched = read_exit(directory)
        if fetched is not None:
            return Status(False, exit=fetched)
        try:
            found = self._pods(handle, {"attempts": 1, "timeout_s": STATUS_TIMEOUT_S})
        except ClusterError as error:
            return Status(True, note=str(error))
        statuses = in_parallel(
            lambda shard: self._shard_status(attempt, shard, found.get(_job(handle, shard)), with_progress), _numbers(handle), PARALLELISM
        )
        if any(status.exit and status.exit["exit_code"] == STOPPED for _shard, status in statuses):
            # Each k6 judges its own requests, so the others would go on with a load that one of them found hopeless.
            in_parallel(partial(self._stop_k6, handle, found), [shard for shard, status in statuses if status.is_running], PARALLELISM)
        if self._peaks:
            write_json(directory / PEAKS_FILE, self._peaks)
        return _combined(handle, statuses)

    def fetch(self, attempt: Mapping[str, Any], with_raw: bool) -> dict[str, Any]:
        """Fetch the files of all shards (see Backend), and delete the TestRun. Raises GeneratorLostError, ClusterError and FileWriteError."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        if "test_run" not in handle:
            return self._pod.fetch(attempt, with_raw)
        if read_exit(directory) is not None:
            return {"files": [], "bytes": 0, "seconds": 0.0}
        started = time.monotonic()
        found = self._pods(handle)
        results = in_parallel(lambda shard: self._fetch_shard(attempt, shard, found.get(_job(handle, shard)), with_raw), _numbers(handle), PARALLELISM)
        self._write_end(attempt, found)
        self._delete(handle["namespace"], handle["test_run"])
        return {
            "files": [f"shards/{shard}/{name}" for shard, result in zip(_numbers(handle), results, strict=True) for name in result["files"]],
            "bytes": sum(result["bytes"] for result in results),
            "seconds": round(time.monotonic() - started, 3),
        }

    def stop(self, attempt: Mapping[str, Any]) -> bool:
        """Stop k6 in every runner, fetch the files that can be reached, and delete the TestRun (see Backend). Raises ClusterError and FileWriteError."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        if "test_run" not in handle:
            return self._pod.stop(attempt)
        if read_exit(directory) is not None:
            return False
        found = self._pods(handle)
        ran = in_parallel(lambda shard: self._stop_shard(attempt, shard, found.get(_job(handle, shard))), _numbers(handle), PARALLELISM)
        if found:
            self._write_end(attempt, found)
        self._delete(handle["namespace"], handle["test_run"])
        return any(ran)

    def poll_interval_s(self, left_s: float | None) -> float:
        """Return the pause before the next status (see Backend): shorter towards the end."""
        return POLL_INTERVAL_S if left_s is None else min(POLL_INTERVAL_S, max(POLL_INTERVAL_MIN_S, left_s / 2))

    def _create(self, load: Load, margin_s: float) -> dict[str, Any]:
        """Create the TestRun of a new attempt whose common start is in `margin_s` seconds, and return its state once all shards wait for it."""
        generator, cluster = load.generator, self._cluster
        run_id, n, name = load.directory.resolve().parents[1].name, next_attempt(load.directory), test_run.new_name(load.generator["pod"])
        prefix = load_prefix(run_id)
        directory = f"{manifests.RESULTS}/{prefix}{load.directory.name}.{n}.{uuid.uuid4().hex[:8]}"
        objects = Objects(cluster, run_id)
        files = manifests.scripts(load.scripts_dir)
        self._present_access(objects, load, files)
        # The runners compare it with their own clocks, which the API server's is closer to than this machine's may be.
        now = cluster.server_time() or time.time()
        own = config_in_pod(load.config, directory, generator.get("proxy"))
        config = {**own, **_divided(load), "start_at": round(now + margin_s, 3)}
        load.check(config)
        write_json(attempt_directory(load.directory, n) / test_run.CONFIG, config)
        environment = {**command_in_pod(load, directory, generator["runner"]["cores"])["env"], "PERFSCALE_CONFIG": f"{directory}/{test_run.CONFIG}"}
        objects.present(test_run.config_map(generator["namespace"], name, config, environment, load.script_name))
        annotations = {
            test_run.LOAD: f"{prefix}{load.directory.name}",
            test_run.DIGEST: test_run.config_digest(config),
            test_run.DIRECTORY: directory,
            test_run.START: str(config["start_at"]),
        }
        manifest = test_run.test_run(generator, name, run_id, annotations, k6_arguments(PurePosixPath(directory), load.live_url), files)
        handle = {"test_run": name, "namespace": generator["namespace"], "shards": generator["shards"], "directory": directory}
        # Written before it exists: a controller that is lost right after it still finds its load.
        state = write_state(load, n, {**handle, "starts": round(time.time() + margin_s, 3)})
        try:
            objects.present(manifest)
            self._await_start(state)
        except ClusterError:
            self.stop(state)
            raise
        return state

    def _present_access(self, objects: Objects, load: Load, files: Mapping[str, str]) -> None:
        """Have the Secret with the load's tokens and the ConfigMap with the scripts in the cluster, before pods mount them."""
        mlflow = load.config.get("mlflow") or {}
        settings = {"namespace": load.generator["namespace"], "name": load.generator["pod"]}
        secrets = pod_secret.read_files(mlflow.get("token_file"), mlflow.get("token_map_file"), load.ca_file)
        objects.present(pod_secret.secret(settings["namespace"], settings["name"], secrets))
        objects.present(manifests.config_map(settings, files))

    def _has_started(self, state: Mapping[str, Any]) -> bool:
        """Return whether a load to attach to begins with all of its shards; one that does not is stopped."""
        if read_exit(Path(state["directory"])) is not None or time.time() >= state["handle"]["starts"]:
            return True
        try:
            self._await_start(state)
        except _LateStartError:
            self.stop(state)
            return False
        return True

    def _await_start(self, state: Mapping[str, Any]) -> None:
        """Wait until k6 of every shard has left its pause, at most until the common start, and start what the operator's starter did not.

        Raises GeneratorLostError, _LateStartError when only time was missing, and ClusterError with what happened and the end of the log.
        """
        handle = state["handle"]
        left = handle["starts"] - time.time()
        rescue_at = time.monotonic() + RESCUE_SHARE * left
        read = partial(self._observe, handle, rescue_at)
        seen, outcome = wait(read, start_readiness, max(left, 2 * START_POLL_S), pause_s=START_POLL_S, patience=START_PATIENCE)
        if outcome.readiness.ready:
            return
        name = f"TestRun {handle['namespace']}/{handle['test_run']}"
        if seen is not None and seen.test_run is None:
            raise GeneratorLostError(f"{name}: deleted before its load began. Retry.")
        details = "; ".join([*outcome.readiness.reasons[:5], *self._log_of(handle, seen)])
        if outcome.ended == "time" and not outcome.readiness.doubts:
            raise _LateStartError(
                f"{name}: not all of its {handle['shards']} shards started within {outcome.seconds:.0f} s ({details}). "
                "Check the k6-operator and the nodes, or raise k6_runner_start_margin_s."
            )
        raise ClusterError(f"{name}: not started ({details}). Correct what is named (image, resources, quota, script) and run the same again.")

    def _observe(self, handle: Mapping[str, Any], rescue_at: float) -> Observed:
        """Return what is seen of a TestRun; runners that the starter left paused are started. Raises ClusterError."""
        cluster, namespace, name = self._cluster, handle["namespace"], handle["test_run"]
        found = cluster.get(test_run.path(namespace, name))
        jobs = {job["metadata"]["name"]: job for job in cluster.items(f"/apis/batch/v1/namespaces/{namespace}/jobs", test_run.selector(name))}
        seen = Observed(name, handle["shards"], found, jobs, self._pods(handle), paused={}, ended={})
        paused, ended = {}, {}
        running = [shard for shard in _numbers(handle) if seen.is_running(shard)]
        for shard, (is_paused, code) in zip(running, in_parallel(partial(self._pause_of, handle, seen), running, PARALLELISM), strict=True):
            paused[shard] = is_paused
            if code is not None:
                ended[shard] = code
        is_due = len(running) == handle["shards"] and (seen.has_failed("starter") or time.monotonic() > rescue_at)
        if is_due and not ended:
            in_parallel(partial(self._unpause, handle), [shard for shard in running if paused[shard]], PARALLELISM)
        events = tuple(self._events(namespace)) if len(running) < handle["shards"] else ()
        return Observed(name, handle["shards"], found, jobs, seen.pods, events, paused, ended)

    def _pause_of(self, handle: Mapping[str, Any], seen: Observed, shard: int) -> tuple[bool | None, int | None]:
        """Return (whether k6 of a runner is paused, its exit code if it has ended already), each None where it is not known."""
        path = test_run.status_path(handle["namespace"], handle["test_run"], shard)
        try:
            return bool(self._cluster.request("GET", path, attempts=1, timeout_s=5.0)["data"]["attributes"]["paused"]), None
        except (ClusterError, KeyError, TypeError):
            pass
        try:
            response = self._rpc(handle, seen.pods[seen.job_name(shard)], attempts=1).call("status", handle["directory"], timeout_s=STATUS_TIMEOUT_S)
        except (ClusterError, RejectedError):
            return None, None
        return None, pod_files.exit_record(response["exit"])["exit_code"] if response["phase"] == "ended" else None

    def _unpause(self, handle: Mapping[str, Any], shard: int) -> None:
        path = test_run.status_path(handle["namespace"], handle["test_run"], shard)
        self._cluster.request("PATCH", path, body=_UNPAUSE, attempts=1, timeout_s=5.0)

    def _events(self, namespace: str) -> list[dict[str, Any]]:
        try:
            return self._cluster.items(f"/api/v1/namespaces/{namespace}/events")
        except ClusterError:
            return []

    def _log_of(self, handle: Mapping[str, Any], seen: Observed | None) -> list[str]:
        """Return the ends of the logs of what failed before the start."""
        if seen is None:
            return []
        found = []
        for role in ("initializer", "starter"):
            pod = seen.pods.get(seen.job_name(role))
            if pod is not None and seen.has_failed(role):
                path = f"/api/v1/namespaces/{handle['namespace']}/pods/{pod['metadata']['name']}/log"
                found.append(f"log of the {role}: {_end_of(partial(self._cluster.text, path, query={'tailLines': 5}))}")
        for shard in seen.ended:
            rpc = self._rpc(handle, seen.pods[seen.job_name(shard)])
            found.append(f"k6.log of shard {shard}: {_end_of(partial(rpc.read, handle['directory'], 'k6.log', 0, 1))}")
        return found

    def _pods(self, handle: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> dict[str, Mapping[str, Any]]:
        """Return the pods of a TestRun by their Jobs; `options` as of Cluster.items. Raises ClusterError."""
        return by_job(self._cluster.items(f"/api/v1/namespaces/{handle['namespace']}/pods", test_run.selector(handle["test_run"]), options=options))

    def _rpc(self, handle: Mapping[str, Any], pod: Mapping[str, Any], container: str = test_run.RUNNER, **options: Any) -> PodRpc:
        return PodRpc(self._cluster, Container(handle["namespace"], pod["metadata"]["name"], container), **options)

    def _is_usable(self, handle: Mapping[str, Any], is_finished_reusable: bool) -> bool:
        """Return whether every shard runs, or has a complete window whose files are not fetched yet."""
        if "test_run" not in handle:
            return False
        found = self._pods(handle)
        if not found and self._cluster.get(test_run.path(handle["namespace"], handle["test_run"])) is None:
            return False
        accepted = {"running", *(["ended"] if is_finished_reusable else []), *(["starting"] if time.time() < handle["starts"] else [])}
        return all(self._phase_of(handle, found.get(_job(handle, shard))) in accepted for shard in _numbers(handle))

    def _phase_of(self, handle: Mapping[str, Any], pod: Mapping[str, Any] | None) -> str:
        """Return starting, running, ended (with a complete window), incomplete or lost."""
        if pod is None:
            return "starting"
        if termination_of(pod, None):
            return "lost"
        if not pods.check_running(pod, test_run.RUNNER).ready:
            return "starting"
        response = self._rpc(handle, pod).call("status", handle["directory"])
        if response["phase"] != "ended":
            return {"running": "running", "absent": "starting"}.get(response["phase"], "lost")
        return "ended" if is_complete(pod_files.exit_record(response["exit"])["exit_code"]) else "incomplete"

    def _test_runs(self, namespace: str, run_id: str) -> list[dict[str, Any]]:
        """Return the TestRuns of a run that are not being deleted. Raises ClusterError."""
        found = self._cluster.items(test_run.path(namespace), ownership.selector(run_id))
        return [entry for entry in found if not entry["metadata"].get("deletionTimestamp")]

    def _found(self, load: Load) -> dict[str, Any] | None:
        """Return the state of the requested load that a lost controller began, written again, or None; other loads of its run are deleted."""
        run_id = load.directory.resolve().parents[1].name
        wanted = {**config_in_pod(load.config, "", load.generator.get("proxy")), **_divided(load)}
        digest, known = test_run.config_digest(wanted), None
        for entry in self._test_runs(load.generator["namespace"], run_id):
            handle = _handle_of(entry)
            is_same = _annotation(entry, test_run.LOAD) == f"{load_prefix(run_id)}{load.directory.name}" and _annotation(entry, test_run.DIGEST) == digest
            if known is None and is_same and self._is_usable(handle, load.is_finished_reusable):
                known = handle
            else:
                self._delete(handle["namespace"], handle["test_run"])
        return write_state(load, next_attempt(load.directory), known, started=known["starts"]) if known else None

    def _shard_status(self, attempt: Mapping[str, Any], shard: int, pod: Mapping[str, Any] | None, with_progress: bool) -> tuple[int, Status]:
        """Return (shard, its status); one that is lost has its files fetched as far as they got."""
        directory, handle = shards.shard_directory(Path(attempt["directory"]), shard), attempt["handle"]
        fetched = read_exit(directory)
        if fetched is not None:
            return shard, Status(False, exit=fetched)
        lost = termination_of(pod, None)
        if lost is not None or pod is None:
            self._salvage(attempt, shard, pod)
            return shard, Status(False, failure=Failure(lost.text if lost else "its pod was deleted", lost.is_retryable if lost else True))
        words = ["status", handle["directory"], *([str(self._blocks.get(shard, 0))] if with_progress else [])]
        try:
            response = self._rpc(handle, pod, attempts=1).call(*words, timeout_s=STATUS_TIMEOUT_S)
        except (ClusterError, RejectedError) as error:
            return shard, Status(True, note=str(error))
        self._blocks[shard] = int(response.get("block", self._blocks.get(shard, 0)))
        if "peak_kb" in response:
            self._peaks[str(shard)] = int(response["peak_kb"]) * 1024
        requests, _blank, failures = response.get("counts", "0 0").partition(" ")
        # A runner without the files of a load is about to begin; one that had them has ended.
        status = Status(response["phase"] in ("running", "absent"), None, int(requests), int(failures))
        if status.is_running:
            return shard, status
        if response["phase"] == "lost":
            return shard, status._replace(failure=Failure(NO_EXIT_RECORD.text, NO_EXIT_RECORD.is_retryable))
        record = pod_files.exit_record(response["exit"])
        if record["exit_code"] == KILLED and record["oom_kills"]:
            return shard, status._replace(failure=Failure(f"k6 ran out of memory ({pods.OOM_KILLED}, exit code {KILLED})", False))
        return shard, status._replace(exit=record)

    def _stop_k6(self, handle: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]], shard: int) -> bool:
        """Stop k6 of a shard if it responds; else the next status tries again. Return whether it ran."""
        try:
            return "stopped" in stop_k6(self._rpc(handle, found[_job(handle, shard)], attempts=1), handle["directory"])
        except (ClusterError, RejectedError):
            return False

    def _fetch_shard(self, attempt: Mapping[str, Any], shard: int, pod: Mapping[str, Any] | None, with_raw: bool) -> dict[str, Any]:
        """Fetch the files of one shard from the container of k6, or where memory ended that, from the one that keeps them."""
        directory, handle = shards.shard_directory(Path(attempt["directory"]), shard), attempt["handle"]
        if read_exit(directory) is not None:
            return {"files": [], "bytes": 0}
        name = f"Shard {shard} of TestRun {handle['namespace']}/{handle['test_run']}"
        if pod is None:
            raise GeneratorLostError(f"{name}: lost, its pod was deleted. Retry.")
        is_running = pods.check_running(pod, test_run.RUNNER).ready
        try:
            return pod_files.fetch(self._rpc(handle, pod, test_run.RUNNER if is_running else test_run.KEEPER), handle["directory"], directory, with_raw)
        except ClusterError as error:
            lost = termination_of(self._pods(handle).get(_job(handle, shard)), pod["metadata"]["uid"])
            if lost is None:
                raise
            kind = GeneratorLostError if lost.is_retryable else ClusterError
            raise kind(f"{name}: lost, {lost.text}. Retry.") from error

    def _salvage(self, attempt: Mapping[str, Any], shard: int, pod: Mapping[str, Any] | None) -> None:
        """Fetch what a lost runner still has; what cannot be fetched any more is not there in shards.json."""
        if pod is None:
            return
        try:
            if not pods.check_running(pod, test_run.RUNNER).ready:
                self._fetch_shard(attempt, shard, pod, with_raw=True)
                return
            stop_k6(self._rpc(attempt["handle"], pod, attempts=2), attempt["handle"]["directory"])
            self._fetch_shard(attempt, shard, pod, with_raw=True)
        except (ClusterError, RejectedError):
            return

    def _stop_shard(self, attempt: Mapping[str, Any], shard: int, pod: Mapping[str, Any] | None) -> bool:
        """Stop k6 of one shard and fetch its files; a pod that is gone, or has not begun, has none. Return whether it ran."""
        handle = attempt["handle"]
        if pod is None or read_exit(shards.shard_directory(Path(attempt["directory"]), shard)) is not None:
            return False
        ran = pods.check_running(pod, test_run.RUNNER).ready and "stopped" in stop_k6(self._rpc(handle, pod), handle["directory"])
        try:
            self._fetch_shard(attempt, shard, pod, with_raw=True)
        except ClusterError:
            # A k6 that never began has no files, and those of a pod that has ended are gone.
            if ran and termination_of(self._pods(handle).get(_job(handle, shard)), None) is None:
                raise
        return ran

    def _write_end(self, attempt: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> None:
        """Write shards.json and, last, the exit record of the whole load. Raises FileWriteError."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        peaks = _peaks(directory)
        entries, records = [], []
        for shard in _numbers(handle):
            pod, where = found.get(_job(handle, shard)), shards.shard_directory(directory, shard)
            record = read_exit(where)
            if record is not None:
                record["max_rss_bytes"] = peaks.get(str(shard))
                shards.write_exit(where, record)
            code = record["exit_code"] if record else exit_of(pod)[0]
            lost = termination_of(pod, None)
            reason = "" if is_complete(code) else lost.text if lost else meaning(KILLED if code is None else code)
            node = pod["spec"].get("nodeName") if pod else None
            entries.append(shards.shard_record(directory, shard, _job(handle, shard), node, record or {"exit_code": code}, reason))
            records.append(record or {"pid": 0, "exit_code": KILLED if code is None else code})
        shards.write_shards(directory, entries, handle["shards"])
        shards.write_exit(directory, shards.whole_exit(records))

    def _delete(self, namespace: str, name: str) -> None:
        """Delete a TestRun with what it owns, and its configuration, and wait until its pods are gone. Raises ClusterError."""
        objects = Objects(self._cluster, timeout_s=DELETE_TIMEOUT_S)
        owned = [
            {"apiVersion": test_run.API_VERSION, "kind": test_run.KIND, "metadata": {"name": name, "namespace": namespace}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}},
        ]
        found = [{**existing, **{key: manifest[key] for key in ("apiVersion", "kind")}} for manifest in owned if (existing := self._ours(objects, manifest))]
        for manifest in found:
            objects.delete(manifest)
        deadline = time.monotonic() + DELETE_TIMEOUT_S
        handle = {"namespace": namespace, "test_run": name}
        while (left := self._pods(handle)) and time.monotonic() < deadline:
            time.sleep(START_POLL_S)
        if left:
            names = ", ".join(sorted(pod["metadata"]["name"] for pod in left.values()))
            raise ClusterError(f"TestRun {namespace}/{name}: pods remain {DELETE_TIMEOUT_S:g} s after its deletion ({names}). Delete them.")

    @staticmethod
    def _ours(objects: Objects, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
        found = objects.cluster.get(objects.path(manifest))
        return found if found is not None and ownership.is_ours(found) else None


def cluster_backend(kind: str, connect: Callable[[], Cluster]) -> PodBackend | K6OperatorBackend:
    """Return the backend of a kind of generator in a cluster."""
    return K6OperatorBackend(connect) if kind == "k6_operator" else PodBackend(connect)


class _LateStartError(ClusterError):
    """Not every shard started before the common start, and nothing failed."""


def _undivided(load: Load) -> Load:
    """Return a load for the generator's pod alone."""
    generator = {**load.generator, "kind": "pod", "cores": load.generator["runner"]["cores"]}
    return dataclasses.replace(load, generator=generator)


def _divided(load: Load) -> dict[str, Any]:
    """Return what the configuration of a load has of its division: shards, and the virtual users of each journey. Raises DivisionError."""
    shards_count, config = load.generator["shards"], load.config
    return {"shards": shards_count, "vus": divide(config["profile"], config["training_share"], shards_count, load.generator["runner"]["round_vus"])}


def _numbers(handle: Mapping[str, Any]) -> range:
    return range(1, int(handle["shards"]) + 1)


def _job(handle: Mapping[str, Any], shard: int) -> str:
    return f"{handle['test_run']}-{shard}"


def _annotation(manifest: Mapping[str, Any], name: str) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(name) or "")


def _handle_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the handle of a TestRun of ours."""
    return {
        "test_run": entry["metadata"]["name"],
        "namespace": entry["metadata"]["namespace"],
        "shards": entry["spec"]["parallelism"],
        "directory": _annotation(entry, test_run.DIRECTORY),
        "starts": float(_annotation(entry, test_run.START) or 0),
    }


def _peaks(directory: Path) -> dict[str, int]:
    """Return the memory of each shard that was seen during the load (bytes), and forget the file."""
    path = directory / PEAKS_FILE
    try:
        found: dict[str, int] = read_json(path)
    except ValueError:
        return {}
    path.unlink()
    return found


def _end_of(read: Callable[[], str | bytes]) -> str:
    """Return the end of a log as one line, or why it could not be read."""
    try:
        text = read()
    except ClusterError as error:
        return str(error)
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(whole[-_LOG_LENGTH:], _LOG_LENGTH)


def _combined(handle: Mapping[str, Any], statuses: list[tuple[int, Status]]) -> Status:
    """Return the status of a load from those of its shards: lost with any of them, ended with all of them."""
    requests, failures = (sum(getattr(status, name) for _shard, status in statuses) for name in ("requests", "failures"))
    # The load begins at the common start, whatever the ages of its processes.
    age = time.time() - handle["starts"]
    lost = [(shard, status.failure) for shard, status in statuses if status.failure]
    if lost:
        texts = "; ".join(f"shard {shard}: {failure.text}" for shard, failure in lost)
        is_retryable = all(failure.is_retryable for _shard, failure in lost)
        advice = "The cell is retried once." if is_retryable else "Give each shard more (k6_runner_pod_resources), take more shards, or load it less."
        text = f"lost {len(lost)} of {handle['shards']} shards of TestRun {handle['namespace']}/{handle['test_run']} ({texts}). {advice}"
        return Status(False, age, requests, failures, failure=Failure(text, is_retryable))
    notes = [status.note for _shard, status in statuses if status.note]
    if any(status.is_running for _shard, status in statuses):
        return Status(True, age, requests, failures, note=notes[0] if len(notes) == len(statuses) else "")
    return Status(False, age, requests, failures, exit=shards.whole_exit([status.exit for _shard, status in statuses if status.exit]))
