# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is an HTTP server which takes PUT, such as WebDAV or an artifact repository."""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import (
    ACCEPTED,
    DIGEST_TOLD,
    READ_BACK,
    WHOLE,
    FileSink,
    Upload,
    joined,
    secret_from,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.web import Answer, Web, WebError, refused

PARALLEL = 4
# So a server says that it takes files and gives none.
_NO_READING = (403, 405, 501)
_ABSENT = (404, 410)
# https://www.rfc-editor.org/rfc/rfc9530 and, before it, RFC 3230.
_DIGEST = re.compile(r"sha-256=:?([A-Za-z0-9+/]+=*):?", re.IGNORECASE)


class HttpSink(FileSink):
    """Keeps runs below one address."""

    kind = "http"

    def __init__(
        self, name: str, url: str, prefix: str = "", token_env: str = "", ca_file: str = "", validate_certs: bool = True, timeout_s: float = 60
    ) -> None:
        """Raises SinkError for a CA file that cannot be used."""
        super().__init__(name)
        token = secret_from(token_env)
        self._base = "/".join(part for part in (url.rstrip("/"), quote(joined(prefix))) if part)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._web = Web(headers, ca_file, validate_certs, timeout_s, PARALLEL)
        except WebError as error:
            raise self.error(str(error)) from error

    def location(self, run_id: str) -> str:
        return self._url(run_id)

    def _url(self, key: str) -> str:
        return f"{self._base}/{quote(key)}"

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        # Records come last, so that whoever reads them finds what they name.
        together = [upload for upload in uploads if not upload.is_record]
        proofs = in_parallel(lambda upload: self._send(run_id, upload), together, PARALLEL)
        return proofs + [self._send(run_id, upload) for upload in uploads if upload.is_record]

    def _send(self, run_id: str, upload: Upload) -> str:
        url = self._url(joined(run_id, upload.path))
        self._put(url, upload.read() if upload.bytes <= WHOLE else upload.file)
        upload.check()
        return self._proof(url, upload)

    def _put(self, url: str, body: bytes | Path) -> None:
        answer = self._ask("PUT", url, body)
        if not answer.is_good:
            raise self.error(str(refused(f"PUT {url}", answer)))

    def _ask(self, method: str, url: str, body: bytes | Path | None = None) -> Answer:
        try:
            return self._web.request(method, url, body, {"Content-Type": "application/octet-stream"} if body is not None else None)
        except WebError as error:
            raise self.error(str(error)) from error

    def _proof(self, url: str, upload: Upload) -> str:
        """Returns how the file was seen to be there. Raises SinkError when it is not, or is another one."""
        if not self.is_readable:
            return ACCEPTED
        if upload.bytes > WHOLE and (told := told_digest(self._ask("HEAD", url).headers)):
            self._compare(url, told, upload.sha256)
            return DIGEST_TOLD
        with tempfile.TemporaryDirectory(prefix="perfscale-") as directory:
            copy = Path(directory) / "copy"
            status = self._download(url, copy)
            if status in _NO_READING:
                self.is_readable = False
                return ACCEPTED
            self._compare(url, file_digest(copy)["sha256"] if status == 200 else f"none, but status {status}", upload.sha256)
        return READ_BACK

    def _compare(self, url: str, found: str, expected: str) -> None:
        if found != expected:
            raise self.error(f"{url} was accepted, but has another checksum than was sent ({found[:40]}). Look at the server, then publish again.")

    def _download(self, url: str, destination: Path) -> int:
        try:
            return self._web.download(url, destination)
        except WebError as error:
            raise self.error(str(error)) from error

    def put(self, key: str, data: bytes) -> None:
        self._put(self._url(key), data)

    def get(self, key: str) -> bytes | None:
        url = self._url(key)
        answer = self._ask("GET", url)
        if answer.status == 200:
            return answer.data
        if answer.status in _NO_READING:
            self.is_readable = False
            return None
        if answer.status in _ABSENT:
            return None
        raise self.error(str(refused(f"GET {url}", answer)))

    def fetch(self, key: str, destination: Path) -> bool:
        url = self._url(key)
        status = self._download(url, destination)
        if status not in (200, *_ABSENT):
            raise self.error(str(refused(f"GET {url}", Answer(status, {}, b""))))
        return status == 200

    def close(self, for_good: bool = False) -> None:
        self._web.close()


def told_digest(headers: Mapping[str, str]) -> str | None:
    """Returns the SHA-256 (hexadecimal) that a server tells of a file in its headers, or None."""
    plain = headers.get("x-checksum-sha256", "").lower()
    if len(plain) == hashlib.sha256().digest_size * 2:
        return plain
    found = _DIGEST.search(headers.get("repr-digest", "") or headers.get("digest", ""))
    return base64.b64decode(found[1]).hex() if found else None
