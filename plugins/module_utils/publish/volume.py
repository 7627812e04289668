# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is a volume of the cluster (a PersistentVolumeClaim), reached through the API server: a pod mounts it and runs commands."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_lifecycle
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import END, SHELL, CommandResult, Container, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT, check_running
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import READ_BACK, FileSink, Upload, joined

MEBIBYTE = 1 << 20
# Small files are sent together, large ones in pieces of this size (bytes), which is the most that a cut connection costs.
TOGETHER, PIECE = 4 * MEBIBYTE, 8 * MEBIBYTE
ATTEMPTS, PAUSE_S = 4, 1.0
_ABSENT = 3
CONTAINER, MOUNT = "volume", "/volume"
# A pod that was not deleted ends by itself; the next publication creates another one.
LIFE_S = 3600
# Marks the creator of a PVC. It is not the label by which teardown selects objects to delete, so results remain.
PVC_LABELS = {"app.kubernetes.io/part-of": ownership.OURS}


class VolumeSink(FileSink):
    """Stores runs below a folder of a volume."""

    kind = "pvc"

    def __init__(self, name: str, cluster: Cluster, run_id: str, pod: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Take the settings of the sink: namespace, claim, prefix, create, size, storage_class, image, timeout_s.

        `pod` are those of its pod, with the path of the shell `script` that runs there. Nothing is created yet.
        """
        super().__init__(name)
        self._cluster, self._run_id, self._settings = cluster, run_id, settings
        self._pod = {**pod, **({"image": settings["image"]} if settings["image"] else {})}
        self._script = Path(pod["script"]).read_text(encoding="utf-8")
        self._root = f"/{joined(MOUNT, settings['prefix'])}"
        self._container: Container | None = None

    def open(self) -> None:
        wanted = self._settings
        namespace, claim = wanted["namespace"], wanted["claim"]
        try:
            ensure_pvc(self._cluster, namespace, claim, wanted["size"], wanted["storage_class"], wanted["create"])
            manifest = volume_pod(namespace, claim, self._pod)
            self._container = ensure_pod(self._cluster, self._run_id, manifest, wanted["timeout_s"])
        except ClusterError as error:
            raise self.error(str(error)) from error

    def close(self, for_good: bool = False) -> None:
        if not for_good:
            return
        try:
            delete_pod(self._cluster, self._settings["namespace"], self._settings["claim"], self._settings["timeout_s"])
        except ClusterError as error:
            raise self.error(str(error)) from error

    def location(self, run_id: str) -> str:
        return f"pvc {self._settings['namespace']}/{self._settings['claim']}: {joined(self._settings['prefix'], run_id)}"

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        if uploads:
            self._transfer({joined(run_id, upload.path): upload for upload in uploads})
        return [READ_BACK] * len(uploads)

    def _transfer(self, uploads: Mapping[str, Upload]) -> None:
        """Send files under temporary names, compare their checksums, and only then move them into place."""
        self._command("forget")
        small = {key: upload.read() for key, upload in uploads.items() if upload.bytes <= TOGETHER}
        for archive in archives(small):
            self._command("unpack", str(len(archive)), stdin=archive)
        for key, upload in uploads.items():
            if key not in small:
                self._append(key, upload)
        sums = sums_in(self._command("sums").stdout)
        for key, upload in uploads.items():
            if sums.get(key) != upload.sha256:
                upload.check()
                raise self.error(f"file {key}: checksum in the volume differs from what was sent. Check its storage, then publish again.")
        self._command("settle")

    def _append(self, key: str, upload: Upload) -> None:
        with upload.file.open("rb") as stream:
            at = 0
            while piece := stream.read(PIECE):
                # A piece whose response was lost may have arrived: repeating it then finds another length.
                self._command("append", key, str(at), str(len(piece)), stdin=piece, repeated=f"length {at + len(piece)}")
                at += len(piece)

    def put(self, key: str, data: bytes) -> None:
        self._command("forget")
        for archive in archives({key: data}):
            self._command("unpack", str(len(archive)), stdin=archive)
        self._command("settle")

    def get(self, key: str) -> bytes | None:
        size = self._size(key)
        return None if size is None else b"".join(self._pieces(key, size))

    def fetch(self, key: str, destination: Path) -> bool:
        size = self._size(key)
        if size is None:
            return False
        write_atomic(destination, lambda stream: stream.writelines(self._pieces(key, size)))
        return True

    def _size(self, key: str) -> int | None:
        response = self._command("size", key)
        return None if response.code == _ABSENT else int(response.stdout.split()[1])

    def _pieces(self, key: str, size: int) -> Iterator[bytes]:
        for at in range(0, size, PIECE):
            yield self._command("read", key, str(at // MEBIBYTE), str(PIECE // MEBIBYTE), length=min(PIECE, size - at)).stdout

    def _command(self, command: str, *words: str, stdin: bytes = b"", length: int | None = None, repeated: str = "") -> CommandResult:
        """Return a complete response: one that ends with `END`, or that has `length` bytes. Raises SinkError.

        `repeated` is the output of a command that an earlier attempt has carried out.
        """
        problem = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                argv = [*SHELL, "-c", self._script, "volume", command, self._root, *words]
                response = run(self._cluster, self._running_container(), argv, stdin, timeout_s=120.0)
            except ClusterError as error:
                if error.status in (401, 403, 404) or error.reason == "NotStarted":
                    raise self.error(str(error)) from error
                problem = str(error)
            else:
                is_complete = len(response.stdout) == length if length is not None else response.stdout.endswith(f"{END}\n".encode())
                if is_complete or response.code == _ABSENT:
                    return response
                output = response.stdout.decode("utf-8", "replace").strip()
                if attempt > 1 and repeated and output == repeated:
                    return response
                problem = " ".join(response.stderr.split()) or output or "connection lost"
                if "No space left" in problem or "quota" in problem.lower():
                    raise self.error("volume full. Free space on it, or enlarge it; what was published before is complete.")
                if "Permission denied" in problem or "Read-only" in problem:
                    raise self.error(f"volume not writable ({problem[-160:]}). Give publish_pod_fs_group or publish_pod_user an id that may write.")
            if attempt < ATTEMPTS:
                time.sleep(PAUSE_S)
        raise self.error(f"pod of the volume: incomplete response to {command}, {ATTEMPTS} times ({problem[:200]}). Check the pod, then retry.")

    def _running_container(self) -> Container:
        if self._container is None:
            self.open()
        return cast(Container, self._container)


def archives(files: Mapping[str, bytes], limit: int = PIECE) -> Iterator[bytes]:
    """Yield tar archives of files, each of about `limit` bytes at most, readable by all users."""
    waiting: dict[str, bytes] = {}
    size = 0
    for path, data in files.items():
        if waiting and size + len(data) > limit:
            yield _archive(waiting)
            waiting, size = {}, 0
        waiting[path] = data
        size += len(data) + 1024
    if waiting:
        yield _archive(waiting)


def _archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), 0o644, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def sums_in(output: bytes) -> dict[str, str]:
    """Return checksum by path from the output of sha256sum."""
    found = {}
    for line in output.decode("utf-8", "replace").splitlines():
        digest, _blank, path = line.partition("  ")
        if path:
            found[path.removeprefix("./")] = digest
    return found


def pod_name(claim: str) -> str:
    """Return the name of the pod that mounts a PVC."""
    return f"perfscale-volume-{claim}"[:63].rstrip("-.")


def volume_pod(namespace: str, claim: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod; it follows the restricted security standard and runs with any user id. `settings`: image and how to pull it, run_as_user, fs_group."""
    identity = {key: int(settings[name]) for key, name in (("runAsUser", "run_as_user"), ("fsGroup", "fs_group")) if settings.get(name)}
    secrets = [{"name": name} for name in settings.get("image_pull_secrets") or []]
    container = {
        "name": CONTAINER,
        "image": settings["image"],
        "imagePullPolicy": settings.get("image_pull_policy") or "IfNotPresent",
        "command": ["sleep", str(LIFE_S)],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY_CONTEXT,
        "volumeMounts": [{"name": "results", "mountPath": MOUNT}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {**POD_SECURITY_CONTEXT, **identity},
        "containers": [container],
        "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": claim}}],
        **({"imagePullSecrets": secrets} if secrets else {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod_name(claim), "namespace": namespace}, "spec": spec}


def ensure_pvc(cluster: Cluster, namespace: str, claim: str, size: str, storage_class: str, create: bool) -> None:
    """Create a PVC unless it exists. Raises ClusterError when it is missing and may not be created."""
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    if cluster.get(f"{path}/{claim}") is not None:
        return
    if not create:
        raise ClusterError(f"PersistentVolumeClaim {namespace}/{claim}: does not exist. Create it, or set create: true.", 404, "NotFound")
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    cluster.request("POST", path, {"metadata": {"name": claim, "labels": PVC_LABELS}, "spec": spec})


def ensure_pod(cluster: Cluster, run_id: str, manifest: dict[str, Any], timeout_s: float) -> Container:
    """Return the container in the running pod; a pod that has ended, or is being deleted, is replaced. Raises ClusterError."""
    objects = Objects(cluster, run_id, timeout_s)
    metadata = manifest["metadata"]
    found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
    if found is not None and ownership.is_ours(found) and _has_ended(found):
        _remove(objects, found)
        found = None
    if found is None or not ownership.is_ours(found):
        # An unmanaged pod of this name is an error there.
        pod_lifecycle.create_pod(objects, manifest, dry_run=False)
    return _await(cluster, metadata, timeout_s)


def delete_pod(cluster: Cluster, namespace: str, claim: str, timeout_s: float) -> None:
    """Delete the pod if it is ours, and wait until it is gone, since a volume may be mounted by one at a time. Raises ClusterError."""
    found = pod_lifecycle.get_pod(cluster, namespace, pod_name(claim))
    if found is not None and ownership.is_ours(found):
        _remove(Objects(cluster, timeout_s=timeout_s), found)


def _has_ended(found: Mapping[str, Any]) -> bool:
    return bool(found["metadata"].get("deletionTimestamp")) or (found.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _remove(objects: Objects, found: dict[str, Any]) -> None:
    manifest = {**found, "apiVersion": "v1", "kind": "Pod"}
    objects.delete(manifest)
    for stays in objects.wait_gone([manifest]):
        raise ClusterError(f"{stays['object']}: still exists after {objects.timeout_s:g} s ({stays['why']}). Delete it, then publish again.")


def _await(cluster: Cluster, metadata: Mapping[str, Any], timeout_s: float) -> Container:
    where = f"{metadata['namespace']}/{metadata['name']}"

    def observe() -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
        return found, pod_lifecycle.pod_events(cluster, found) if found and (found.get("status") or {}).get("phase") == "Pending" else []

    outcome = readiness.wait(observe, lambda seen: check_running(seen[0], CONTAINER, seen[1]), timeout_s, pause_s=0.5, patience=20)[1]
    if outcome.ended != "ready":
        problem = "; ".join(outcome.readiness.reasons)
        raise ClusterError(
            f"Pod {where}: did not start within {outcome.seconds:.0f} s ({problem}). Correct the PVC, its storage class, or the image (publish_pod_image)."
        )
    return Container(metadata["namespace"], metadata["name"], CONTAINER)
