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
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Answer, Container, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import volume_pod
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import READ_BACK, FileSink, Upload, joined
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume_script import SCRIPT

MEBIBYTE = 1 << 20
# Small files travel together, large ones in pieces, so that a cut connection costs no more than that (bytes).
TOGETHER, PIECE = 4 * MEBIBYTE, 8 * MEBIBYTE
ATTEMPTS, PAUSE_S = 4, 1.0
_ABSENT = 3


class VolumeSink(FileSink):
    """Keeps runs below a folder of a volume."""

    kind = "pvc"

    def __init__(self, name: str, cluster: Cluster, run_id: str, pod: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """`settings` are the sink's: namespace, claim, prefix, create, size, storage_class, image, timeout_s. Nothing is made yet."""
        super().__init__(name)
        self._cluster, self._run_id, self._settings = cluster, run_id, settings
        self._pod = {**pod, **({"image": settings["image"]} if settings["image"] else {})}
        self._root = f"/{joined(volume_pod.MOUNT, settings['prefix'])}"
        self._container: Container | None = None

    def open(self) -> None:
        wanted = self._settings
        namespace, claim = wanted["namespace"], wanted["claim"]
        try:
            volume_pod.ensure_claim(self._cluster, namespace, claim, wanted["size"], wanted["storage_class"], wanted["create"])
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
            self._bring({joined(run_id, upload.path): upload for upload in uploads})
        return [READ_BACK] * len(uploads)

    def _bring(self, uploads: Mapping[str, Upload]) -> None:
        """Brings files beside their places, compares their checksums there, and only then puts them in place."""
        self._ask("forget")
        small = {key: upload.read() for key, upload in uploads.items() if upload.bytes <= TOGETHER}
        for archive in archives(small):
            self._ask("unpack", str(len(archive)), stdin=archive)
        for key, upload in uploads.items():
            if key not in small:
                self._append(key, upload)
        sums = sums_in(self._ask("sums").stdout)
        for key, upload in uploads.items():
            if sums.get(key) != upload.sha256:
                upload.check()
                raise self.error(f"file {key} came with another checksum into the volume. Look at its storage, then publish again.")
        self._ask("settle")

    def _append(self, key: str, upload: Upload) -> None:
        with upload.file.open("rb") as stream:
            at = 0
            while piece := stream.read(PIECE):
                # A piece whose answer was lost may be there: asking again then meets another length.
                self._ask("append", key, str(at), str(len(piece)), stdin=piece, fits=f"length {at + len(piece)}")
                at += len(piece)

    def put(self, key: str, data: bytes) -> None:
        self._ask("forget")
        for archive in archives({key: data}):
            self._ask("unpack", str(len(archive)), stdin=archive)
        self._ask("settle")

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
        answer = self._ask("size", key)
        return None if answer.code == _ABSENT else int(answer.stdout.split()[1])

    def _pieces(self, key: str, size: int) -> Iterator[bytes]:
        for at in range(0, size, PIECE):
            yield self._ask("read", key, str(at // MEBIBYTE), str(PIECE // MEBIBYTE), length=min(PIECE, size - at)).stdout

    def _ask(self, command: str, *words: str, stdin: bytes = b"", length: int | None = None, fits: str = "") -> Answer:
        """Returns a whole answer: one that ends with `end`, or that has `length` bytes. Raises SinkError.

        `fits` is what a command says when an earlier try of the same had been done.
        """
        said = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = run(self._cluster, self._inside(), ["sh", "-c", SCRIPT, "volume", command, self._root, *words], stdin, timeout_s=120.0)
            except ClusterError as error:
                if error.status in (401, 403, 404) or error.reason == "NotStarted":
                    raise self.error(str(error)) from error
                said = str(error)
            else:
                is_whole = len(answer.stdout) == length if length is not None else answer.stdout.endswith(b"end\n")
                if is_whole or answer.code == _ABSENT:
                    return answer
                words_said = answer.stdout.decode("utf-8", "replace").strip()
                if attempt > 1 and fits and words_said == fits:
                    return answer
                said = " ".join(answer.stderr.split()) or words_said or "the connection was cut"
                if "No space left" in said or "quota" in said.lower():
                    raise self.error("the volume is full. Free space on it, or make it larger; what was published before is whole.")
                if "Permission denied" in said or "Read-only" in said:
                    raise self.error(f"the volume cannot be written ({said[-160:]}). Give publish_pod_fs_group or publish_pod_user an id that may write.")
            if attempt < ATTEMPTS:
                time.sleep(PAUSE_S)
        raise self.error(f"the pod of the volume gave no whole answer to {command}, {ATTEMPTS} times ({said[:200]}). Look at the pod, then publish again.")

    def _inside(self) -> Container:
        if self._container is None:
            self.open()
        return cast(Container, self._container)


def archives(files: Mapping[str, bytes], limit: int = PIECE) -> Iterator[bytes]:
    """Yields tar archives of files, each of about `limit` bytes at most, readable by everybody."""
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


def sums_in(said: bytes) -> dict[str, str]:
    """Returns checksum by path from what sha256sum said."""
    found = {}
    for line in said.decode("utf-8", "replace").splitlines():
        digest, _blank, path = line.partition("  ")
        if path:
            found[path.removeprefix("./")] = digest
    return found
