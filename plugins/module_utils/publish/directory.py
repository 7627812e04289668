# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is a directory of this machine, such as a mount of a file server."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import READ_BACK, FileSink, Upload, joined


class DirectorySink(FileSink):
    """Stores runs below a directory. Each file is complete or absent."""

    kind = "directory"

    def __init__(self, name: str, path: str, prefix: str = "", create: bool = False) -> None:
        super().__init__(name)
        self._root = Path(path).expanduser()
        self._base = self._root / joined(prefix)
        self._create = create

    def open(self) -> None:
        """Create the directory if this is requested: below a missing mount, results would be lost. Raises SinkError."""
        if self._root.is_dir():
            return
        if not self._create:
            raise self.error(f"directory {self._root}: does not exist. Mount or create it, or set create: true.")
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.error(f"directory {self._root}: cannot be created ({error.strerror}). Correct the path or its permissions.") from error

    def location(self, run_id: str) -> str:
        return str(self._base / run_id)

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        for upload in uploads:
            target = self._base / run_id / upload.path
            if target.exists() and target.samefile(upload.file):
                raise self.error(f"file {target}: is the run's own. Choose a directory apart from the results.")
            self._write(target, upload)
            if file_digest(target)["sha256"] != upload.sha256:
                upload.check()
                raise self.error(f"file {target}: its checksum differs from what was written. Check the file system.")
        return [READ_BACK] * len(uploads)

    def _write(self, target: Path, upload: Upload) -> None:
        try:
            with upload.file.open("rb") as source:
                write_atomic(target, lambda stream: shutil.copyfileobj(source, stream, 1 << 20))
        except FileWriteError as error:
            raise self.error(str(error)) from error
        except OSError:
            upload.check()
            raise

    def put(self, key: str, data: bytes) -> None:
        try:
            write_atomic(self._base / key, lambda stream: stream.writelines([data]))
        except FileWriteError as error:
            raise self.error(str(error)) from error

    def get(self, key: str) -> bytes | None:
        try:
            return (self._base / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.error(explain(self._base / key, error)) from error

    def fetch(self, key: str, destination: Path) -> bool:
        try:
            with (self._base / key).open("rb") as source:
                write_atomic(destination, lambda stream: shutil.copyfileobj(source, stream, 1 << 20))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self.error(explain(self._base / key, error)) from error
        return True
