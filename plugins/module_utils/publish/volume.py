# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is a volume of the cluster (a PersistentVolumeClaim), reached through the API server: a pod mounts it, commands in it take the files."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import END, SHELL, CommandResult, Container, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import volume_pod
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import READ_BACK, FileSink, Upload, joined

MEBIBYTE = 1 << 20
# Small files travel together, large ones in pieces, so that a cut connection costs no more than that (bytes).
TOGETHER, PIECE = 4 * MEBIBYTE, 8 * MEBIBYTE
ATTEMPTS, PAUSE_S = 4, 1.0
_ABSENT = 3


class VolumeSink(FileSink):
    """Stores runs below a folder of a volume."""

    kind = "pvc"

    def __init__(self, name: str, cluster: Cluster, run_id: str, pod: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """`settings` are the sink's: namespace, claim, prefix, create, size, storage_class, image, timeout_s.

        `pod` are those of its pod, with the path of the shell `script` that runs there. Nothing is created yet.
        """
        super().__init__(name)
        self._cluster, self._run_id, self._settings = cluster, run_id, settings
        self._pod = {**pod, **({"image": settings["image"]} if settings["image"] else {})}
        self._script = Path(pod["script"]).read_text(encoding="utf-8")
        self._root = f"/{joined(volume_pod.MOUNT, settings['prefix'])}"
        self._container: Container | None = None

    def open(self) -> None:
        wanted = self._settings
        namespace, claim = wanted["namespace"], wanted["claim"]
        try:
            volume_pod.ensure_pvc(self._cluster, namespace, claim, wanted["size"], wanted["storage_class"], wanted["create"])
            manifest = volume_pod.pod(namespace, claim, self._pod)
            self._container = volume_pod.present(self._cluster, self._run_id, manifest, wanted["timeout_s"])
        except ClusterError as error:
            raise self.error(str(error)) from error

    def close(self, for_good: bool = False) -> None:
        if not for_good:
            return
        try:
            volume_pod.absent(self._cluster, self._settings["namespace"], self._settings["claim"], self._settings["timeout_s"])
        except ClusterError as error:
            raise self.error(str(error)) from error

    def location(self, run_id: str) -> str:
        return f"pvc {self._settings['namespace']}/{self._settings['claim']}: {joined(self._settings['prefix'], run_id)}"

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        if uploads:
            self._transfer({joined(run_id, upload.path): upload for upload in uploads})
        return [READ_BACK] * len(uploads)

    def _transfer(self, uploads: Mapping[str, Upload]) -> None:
        """Send files beside their places, compare their checksums there, and only then move them into place."""
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
                # A piece whose response was lost may be there: repeating it then meets another length.
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
