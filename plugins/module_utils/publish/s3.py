# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is a bucket of an S3-compatible object store."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import ssl
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.bounded_response import (
    FILE_BYTES,
    MEBIBYTE,
    RESPONSE_BYTES,
    TRANSFER_RATE,
    BoundedResponse,
    BoundedSocket,
    Limits,
    TimedBytes,
    TimedFile,
    limited,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ATTEMPTS,
    CONNECT_TIMEOUT_S,
    HttpOptionError,
    certificate_problem,
    check_ca_file,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import environment_proxy
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import (
    READ_BACK,
    SERVER_DIGEST,
    WHOLE,
    FileSink,
    SinkError,
    Upload,
    joined,
    secret_from,
)

try:
    import botocore.awsrequest
    import botocore.config
    import botocore.exceptions
    import botocore.session
except ImportError:  # the module reports it with missing_required_lib
    botocore = None  # type: ignore[assignment]
    BOTOCORE_ERROR: str | None = traceback.format_exc()
else:
    BOTOCORE_ERROR = None

PARALLEL = 4
# S3 takes 5 GiB in one request and 10,000 parts of an object (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
PARTS_ABOVE = 1 << 30
PART_BYTES = 64 << 20
_MD5 = re.compile(r"[0-9a-f]{32}")
_ABSENT = ("404", "NoSuchKey", "NotFound")
_DENIED = ("403", "AccessDenied")
_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct its name",
    "InvalidAccessKeyId": "Correct the access key in the environment of ansible-playbook (in AWX: in the credential)",
    "SignatureDoesNotMatch": "Correct the secret key in the environment of ansible-playbook (in AWX: in the credential)",
    "AccessDenied": "Give the access key permission to put, get and head objects there",
    "403": "Give the access key permission to put, get and head objects there",
    "QuotaExceeded": "Free space in the bucket, or raise its quota",
    "InsufficientStorage": "Free space in the object store",
    "XMinioStorageFull": "Free space in the object store",
    "EntityTooLarge": "Raise the store's limit for one object",
}


class S3Sink(FileSink):
    """Stores runs below a prefix of a bucket."""

    kind = "s3"

    def __init__(
        self,
        name: str,
        bucket: str,
        endpoint: str = "",
        region: str = "us-east-1",
        prefix: str = "",
        path_style: bool = True,
        access_key_env: str = "",
        secret_key_env: str = "",
        ca_file: str = "",
        validate_certs: bool = True,
        timeout_s: float = 60,
    ) -> None:
        """Raise SinkError for settings that the client library rejects, and for a CA file that cannot be used. Nothing is sent yet."""
        super().__init__(name)
        self._bucket, self._prefix = bucket, joined(prefix)
        self._where = endpoint or "S3"
        try:
            # By default the library trusts a CA bundle of its own, not the system's.
            verify = validate_certs and (check_ca_file(ca_file) or ssl.get_default_verify_paths().cafile or True)
        except HttpOptionError as error:
            raise self.error(str(error)) from error
        settings = botocore.config.Config(
            s3={"addressing_style": "path" if path_style else "virtual"},
            signature_version="s3v4",
            connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s),
            read_timeout=timeout_s,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=PARALLEL,
            proxies=_proxies(endpoint or f"https://s3.{region}.amazonaws.com"),
            # Checksums in trailers are unknown to many compatible stores; ours are MD5 for the store and SHA-256 for us.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._timeout_s = timeout_s
        _bound_connections()
        with self._sentences("the bucket"):
            self._client: Any = botocore.session.get_session().create_client(
                "s3",
                endpoint_url=endpoint or None,
                region_name=region,
                aws_access_key_id=secret_from(access_key_env),
                aws_secret_access_key=secret_from(secret_key_env),
                verify=verify,
                config=settings,
            )

    def location(self, run_id: str) -> str:
        return f"s3://{joined(self._bucket, self._prefix, run_id)}" + (f" at {self._where}" if self._where != "S3" else "")

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        together = [upload for upload in uploads if not upload.is_record]
        proofs = in_parallel(lambda upload: self._send(run_id, upload), together, PARALLEL)
        return proofs + [self._send(run_id, upload) for upload in uploads if upload.is_record]

    def _send(self, run_id: str, upload: Upload) -> str:
        key = joined(run_id, upload.path)
        if upload.bytes <= WHOLE:
            data = upload.read()
            tag = self._put(key, TimedBytes(data), hashlib.md5(data, usedforsecurity=False), upload.sha256)
        elif upload.bytes > PARTS_ABOVE:
            tag = self._put_parts(key, upload)
        else:
            with TimedFile(str(upload.file)) as stream:
                digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
                tag = self._put(key, stream, digest, upload.sha256)
            upload.check()
        if tag:
            return SERVER_DIGEST
        if self._digest(key) != upload.sha256:
            raise self.error(f"object {self._key(key)}: its checksum differs from what was sent. Check the store, then publish again.")
        return READ_BACK

    def _put(self, key: str, body: Any, digest: Any, sha256: str) -> bool:
        """Write an object, and return whether the store returned its checksum; MD5 is what every store knows."""
        with self._sentences(f"object {self._key(key)}"):
            # The store rejects what does not match the Content-MD5.
            response = self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(key),
                Body=body.limit(self._timeout_s),
                ContentMD5=base64.b64encode(digest.digest()).decode(),
                Metadata={"sha256": sha256},
            )
        tag = str(response.get("ETag", "")).strip('"')
        # With encryption, and in some stores always, the tag is no checksum.
        return bool(_MD5.fullmatch(tag)) and tag == digest.hexdigest()

    def _put_parts(self, key: str, upload: Upload) -> bool:
        """Write an object in parts, and return whether the store returned its checksum; of an object that is not whole nothing stays."""
        where = {"Bucket": self._bucket, "Key": self._key(key)}
        with self._sentences(f"object {self._key(key)}"):
            where["UploadId"] = self._client.create_multipart_upload(**where, Metadata={"sha256": upload.sha256})["UploadId"]
        try:
            tags, digests = self._send_parts(where, upload)
            upload.check()
            with self._sentences(f"object {self._key(key)}"):
                parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
                response = self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(SinkError), self._sentences(f"object {self._key(key)}"):
                self._client.abort_multipart_upload(**where)
            raise
        whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        return str(response.get("ETag", "")).strip('"') == f"{whole}-{len(tags)}"

    def _send_parts(self, where: dict[str, Any], upload: Upload) -> tuple[list[str], bytes]:
        """Send the parts of an object one after another, and return their tags and their MD5 digests in a row."""
        tags: list[str] = []
        digests = b""
        with upload.file.open("rb") as stream:
            while data := stream.read(PART_BYTES):
                digest = hashlib.md5(data, usedforsecurity=False).digest()
                with self._sentences(f"part {len(tags) + 1} of object {where['Key']}"):
                    response = self._client.upload_part(
                        **where,
                        PartNumber=len(tags) + 1,
                        Body=TimedBytes(data).limit(self._timeout_s),
                        ContentMD5=base64.b64encode(digest).decode(),
                    )
                tags.append(response["ETag"])
                digests += digest
        return tags, digests

    def _digest(self, key: str) -> str:
        digest = hashlib.sha256()
        with self._sentences(f"object {self._key(key)}"):
            for block in self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].iter_chunks(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def _key(self, key: str) -> str:
        return joined(self._prefix, key)

    def put(self, key: str, data: bytes) -> None:
        digest = hashlib.md5(data, usedforsecurity=False)
        if not self._put(key, TimedBytes(data), digest, hashlib.sha256(data).hexdigest()) and self.get(key) != data:
            raise self.error(f"object {self._key(key)}: differs from what was sent. Check the store, then publish again.")

    def get(self, key: str) -> bytes | None:
        body = self._body(key)
        with self._sentences(f"object {self._key(key)}"):
            data = None if body is None else body.read(RESPONSE_BYTES + 1)
        if data is not None and len(data) > RESPONSE_BYTES:
            raise self.error(f"object {self._key(key)}: larger than {RESPONSE_BYTES / MEBIBYTE:g} MiB, so not a record of ours. Check the prefix.")
        return cast("bytes | None", data)

    def _body(self, key: str) -> Any:
        with self._sentences(f"object {self._key(key)}"):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"]
            except botocore.exceptions.ClientError as error:
                code = str(error.response["Error"].get("Code"))
                # Without permission to list, a missing object is reported as forbidden.
                self.is_readable = self.is_readable and code not in _DENIED
                if code in (*_ABSENT, *_DENIED):
                    return None
                raise

    def fetch(self, key: str, destination: Path) -> bool:
        body = self._body(key)
        if body is None:
            return False
        with self._sentences(f"object {self._key(key)}"):
            write_atomic(destination, lambda stream: shutil.copyfileobj(body, stream, 1 << 20))
        return True

    def close(self, for_good: bool = False) -> None:
        self._client.close()

    @contextmanager
    def _sentences(self, what: str) -> Iterator[None]:
        """Translate what the client library raises into one sentence."""
        try:
            # Objects may be large; what the store says of them is small.
            with limited(Limits(FILE_BYTES, TRANSFER_RATE)):
                yield
        except botocore.exceptions.ClientError as error:
            details = error.response.get("Error", {})
            code, message = one_line(str(details.get("Code", "error")), 80), one_line(str(details.get("Message", "")), 200)
            remedy = _REMEDIES.get(code, "Check the store, then publish again")
            raise self.error(f"{what} in bucket {self._bucket}: the store returned {code} ({message or 'no text'}). {remedy}.") from error
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError, ValueError) as error:
            cause = one_line(str(error), 200)
            if problem := certificate_problem(error):
                raise self.untrusted(self._where, problem) from error
            raise self.error(f"{what} in bucket {self._bucket}: {cause}. Check endpoint, network, certificate and names.") from error


def _bound_connections() -> None:
    """Bound the responses of the client library, also one that comes before the body was sent (Expect: 100-continue)."""
    library: Any = botocore.awsrequest
    if issubclass(library.AWSHTTPResponse, BoundedResponse):
        return
    for connection in (library.AWSHTTPConnection, library.AWSHTTPSConnection):
        connection.response_class = BoundedResponse
    library.AWSHTTPResponse = type("BoundedEarlyResponse", (BoundedResponse, library.AWSHTTPResponse), {})
    read_early = library.AWSConnection._handle_expect_response

    def read_early_within_limits(self: Any, body: Any) -> None:
        sock = self.sock
        self.sock = BoundedSocket(sock)
        try:
            read_early(self, body)
        finally:
            self.sock = sock

    library.AWSConnection._handle_expect_response = read_early_within_limits
    library.AWSConnection._consume_headers = _consume_headers


def _consume_headers(_connection: Any, stream: Any) -> None:
    """Read the headers of an early response. The library's own function never ends where the connection does."""
    while (line := stream.readline()) != b"\r\n":
        if not line:
            raise ConnectionError("the connection ended within the headers of a response")


def _proxies(url: str) -> dict[str, str]:
    """Return the proxy for a URL as the client library takes it, {} for none: it has other rules of its own. Raises ProxyError."""
    proxy = environment_proxy(url)
    if proxy is None:
        return {}
    login = ":".join(map(quote, proxy.credentials.split(":", maxsplit=1))) + "@" if proxy.credentials else ""
    return {urlsplit(url).scheme: proxy.url.replace("://", f"://{login}")}
