# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is an HTTP server which accepts PUT, such as WebDAV or an artifact repository."""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.bounded_response import FILE_BYTES
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    HttpClient,
    HttpError,
    HttpOptionError,
    Response,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import (
    ACCEPTED,
    READ_BACK,
    SERVER_DIGEST,
    WHOLE,
    FileSink,
    Upload,
    joined,
    secret_from,
)

PARALLEL = 4
# Statuses of a write-only server.
_WRITE_ONLY = (403, 405, 501)
_ABSENT = (404, 410)
# https://www.rfc-editor.org/rfc/rfc9530 and, before it, RFC 3230.
_DIGEST = re.compile(r"sha-256=:?([A-Za-z0-9+/]+=*):?", re.IGNORECASE)


class HttpSink(FileSink):
    """Stores runs below one URL."""

    kind = "http"

    def __init__(
        self, name: str, url: str, prefix: str = "", token_env: str = "", ca_file: str = "", validate_certs: bool = True, timeout_s: float = 60
    ) -> None:
        """Raise SinkError for a CA file that cannot be used."""
        super().__init__(name)
        token = secret_from(token_env)
        self._base = "/".join(part for part in (url.rstrip("/"), quote(joined(prefix))) if part)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = HttpClient(headers, ca_file, validate_certs, timeout_s, PARALLEL)
        except HttpOptionError as error:
            raise self.error(str(error)) from error

    def location(self, run_id: str) -> str:
        return self._url(run_id)

    def _url(self, key: str) -> str:
        return f"{self._base}/{quote(key)}"

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        # Records come last, so that their readers find the files that they name.
        together = [upload for upload in uploads if not upload.is_record]
        proofs = in_parallel(lambda upload: self._send(run_id, upload), together, PARALLEL)
        return proofs + [self._send(run_id, upload) for upload in uploads if upload.is_record]

    def _send(self, run_id: str, upload: Upload) -> str:
        url = self._url(joined(run_id, upload.path))
        self._put(url, upload.read() if upload.bytes <= WHOLE else upload.file)
        upload.check()
        return self._proof(url, upload)

    def _put(self, url: str, body: bytes | Path) -> None:
        response = self._request("PUT", url, body)
        if not response.is_success:
            raise self.rejected(f"PUT {url}", response)

    def _request(self, method: str, url: str, body: bytes | Path | None = None) -> Response:
        try:
            return self._http.request(method, url, body, {"Content-Type": "application/octet-stream"} if body is not None else None)
        except HttpError as error:
            raise self.unreachable(url, error) from error

    def _proof(self, url: str, upload: Upload) -> str:
        """Return how the file was verified. Raises SinkError when it is missing or differs."""
        if not self.is_readable:
            return ACCEPTED
        if upload.bytes > WHOLE and (digest := digest_in(self._request("HEAD", url).headers)):
            self._compare(url, digest, upload.sha256)
            return SERVER_DIGEST
        with tempfile.TemporaryDirectory(prefix="perfscale-") as directory:
            copy = Path(directory) / "copy"
            status = self._download(url, copy, upload.bytes)
            if status in _WRITE_ONLY:
                self.is_readable = False
                return ACCEPTED
            self._compare(url, file_digest(copy)["sha256"] if status == 200 else f"status {status}", upload.sha256)
        return READ_BACK

    def _compare(self, url: str, found: str, expected: str) -> None:
        if found != expected:
            raise self.error(f"{url}: accepted, but its checksum differs from what was sent ({found[:40]}). Check the server, then publish again.")

    def _download(self, url: str, destination: Path, size: int = FILE_BYTES) -> int:
        try:
            return self._http.download(url, lambda blocks: write_atomic(destination, lambda stream: stream.writelines(blocks)), size=size)
        except HttpError as error:
            raise self.unreachable(url, error) from error

    def put(self, key: str, data: bytes) -> None:
        self._put(self._url(key), data)

    def get(self, key: str) -> bytes | None:
        url = self._url(key)
        response = self._request("GET", url)
        if response.status == 200:
            return response.data
        if response.status in _WRITE_ONLY:
            self.is_readable = False
            return None
        if response.status in _ABSENT:
            return None
        raise self.rejected(f"GET {url}", response)

    def fetch(self, key: str, destination: Path) -> bool:
        url = self._url(key)
        status = self._download(url, destination)
        if status not in (200, *_ABSENT):
            raise self.rejected(f"GET {url}", Response(status, {}))
        return status == 200

    def close(self, for_good: bool = False) -> None:
        self._http.close()


def digest_in(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256 (hexadecimal) of a file in a server's headers, or None."""
    plain = headers.get("x-checksum-sha256", "").lower()
    if len(plain) == hashlib.sha256().digest_size * 2:
        return plain
    found = _DIGEST.search(headers.get("repr-digest", "") or headers.get("digest", ""))
    return base64.b64decode(found[1]).hex() if found else None
