# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests with one retry policy (which failures are retried, how long between attempts, when to give up), limits of time and size, and proxies.

RetryPolicy is a urllib3.util.Retry, so other clients accept it too (kubernetes: Configuration.retries); clients with settings of their own
(botocore, opensearch-py) use the constants.
"""

from __future__ import annotations

import base64
import json
import random
import re
import ssl
import time
import traceback
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.bounded_response import (
    FILE_BYTES,
    MEBIBYTE,
    TRANSFER_RATE,
    Limits,
    ResponseTooLargeError,
    TimedFile,
    bound,
    limited,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import Proxy, ProxyError, environment_proxy
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line, read_text

try:
    import urllib3
    from urllib3.util import Retry
except ImportError:  # the modules report it with missing_required_lib
    urllib3 = None  # type: ignore[assignment]
    Retry = object  # type: ignore[assignment,misc]
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None

# Overload, and a proxy or gateway without a working server behind it; 500 because databases answer so while they restart.
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
# The server did not process a request with these (RFC 6585), so a request of any method may be repeated.
UNPROCESSED_STATUSES = frozenset({429})
# Idempotent methods (RFC 9110, 9.2.2).
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
ATTEMPTS = 6
PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 8.0
# Share by which a pause varies in both directions, so that clients do not return together.
JITTER = 0.25
RETRY_AFTER_MAX_S = 15.0
TIME_LIMIT_S = 120.0
CONNECT_TIMEOUT_S = 10.0

_BLOCK = 1 << 20
_TOKEN = re.compile(r"[!-9;-~]+")
# A user name with a space or a bracket is rather a document of another kind.
_USER = re.compile(r"[^\s\"'{}\[\]<>:=]+")
_TAG = re.compile(r"<[^>]*>")
# What a page contains and nobody reads.
_UNSEEN = re.compile(r"(?is)<(script|style)\b.*?(?:</\1\s*>|$)")
# The wording of urllib3 and botocore, for the chain and for the name.
_CERTIFICATE = re.compile(r"certificate verify failed: (.+?)\.?(?: \(_ssl|['\")]*$)|(hostname .+ doesn't match [^\"]+)", re.IGNORECASE)


class ErrorKind(StrEnum):
    """Why there is no response."""

    CERTIFICATE = "certificate"
    TLS = "tls"
    NAME = "name"
    CONNECTION_REFUSED = "refused"
    TIMEOUT = "timeout"
    TOO_LARGE = "too large"
    CONNECTION = "connection"


class HttpError(Exception):
    """A request without a complete response; `reason` is a phrase such as `connection refused`, the text of the exception."""

    def __init__(self, kind: ErrorKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class HttpOptionError(ValueError):
    """A token file or CA file that cannot be used; the text is one sentence."""


class RetryPolicy(Retry):
    """Retries with jittered exponential pauses, a cap on Retry-After, and a time limit over all attempts.

    An instance can be shared: each request works on copies. No attempt begins after `time_limit_s`; the time runs
    from `start()`, or, for a client that does not call it, from the first failure.
    """

    def __init__(
        self,
        total: bool | int | None = ATTEMPTS - 1,
        *,
        allowed_methods: Collection[str] | None = IDEMPOTENT_METHODS,
        status_forcelist: Collection[int] | None = RETRY_STATUSES,
        unprocessed: Collection[int] = UNPROCESSED_STATUSES,
        is_final: Callable[[Any], bool] | None = None,
        time_limit_s: float = TIME_LIMIT_S,
        deadline: float | None = None,
        raise_on_status: bool = False,
        **options: Any,
    ) -> None:
        """Take the options of urllib3.util.Retry and these.

        `total`: repetitions after the first attempt. `allowed_methods`: those that are repeated after any failure, None for all; other methods
        are repeated only while the request was not processed: no connection, or a status of `unprocessed`. `is_final`: true for a response
        (urllib3's) that another attempt cannot change. `deadline`: on the monotonic clock. The last response is returned, whatever its status.
        """
        super().__init__(total, allowed_methods=allowed_methods, status_forcelist=status_forcelist, raise_on_status=raise_on_status, **options)
        self.unprocessed = frozenset(unprocessed)
        self.is_final = is_final
        self.time_limit_s = time_limit_s
        self.deadline = deadline
        self.pause_s = 0.0

    def new(self, **options: Any) -> RetryPolicy:
        """Return a copy with some options changed; urllib3 calls it for each attempt."""
        own = {"unprocessed": self.unprocessed, "is_final": self.is_final, "time_limit_s": self.time_limit_s, "deadline": self.deadline}
        return super().new(**{**own, **options})

    def start(self) -> RetryPolicy:
        """Return the policy of one request that begins now."""
        return self.new(deadline=time.monotonic() + self.time_limit_s)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether a status is retried; Retry-After alone makes no status retryable."""
        return status_code in self.unprocessed or (status_code in self.status_forcelist and self._is_method_retryable(method))

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> RetryPolicy:
        """Return the policy of the next attempt. Raises MaxRetryError when there is none, and `error` itself where the method must not be repeated."""
        if error is not None and isinstance(error, urllib3.exceptions.SSLError) and not (method and self._is_method_retryable(method)):
            raise error
        following = super().increment(method, url, response, error, _pool, _stacktrace)
        reason = error or urllib3.exceptions.ResponseError(f"status {response.status}" if response is not None else "unknown")
        if _is_permanent(error) or (response is not None and self.is_final is not None and self.is_final(response)):
            raise urllib3.exceptions.MaxRetryError(_pool, url or "", reason)
        following.pause_s = following.get_backoff_time() if response is None else self._pause_after(response, following)
        now = time.monotonic()
        following.deadline = now + self.time_limit_s if self.deadline is None else self.deadline
        if now + following.pause_s >= following.deadline:
            raise urllib3.exceptions.MaxRetryError(_pool, url or "", reason)
        return following

    def get_backoff_time(self) -> float:
        """Return seconds: PAUSE_FIRST_S, doubled with each failure up to PAUSE_MAX_S, plus or minus JITTER."""
        failures = len(self.history)
        return min(PAUSE_FIRST_S * 2.0 ** (failures - 1), PAUSE_MAX_S) * random.uniform(1 - JITTER, 1 + JITTER) if failures else 0.0

    def _pause_after(self, response: Any, following: RetryPolicy) -> float:
        """Return the pause that a response requests, at most RETRY_AFTER_MAX_S and a little jitter, else the increasing one."""
        try:
            asked = self.get_retry_after(response)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            asked = None
        return following.get_backoff_time() if asked is None else min(asked, RETRY_AFTER_MAX_S) + random.uniform(0, PAUSE_FIRST_S)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next attempt, as `increment` decided."""
        time.sleep(self.pause_s)


def _is_permanent(error: Exception | None) -> bool:
    """Return whether another attempt would fail alike: a name that does not resolve, TLS unless the connection was cut, a response without end."""
    if isinstance(error, urllib3.exceptions.SSLError):
        return not any(isinstance(cause, ssl.SSLEOFError) for cause in error.args)
    return isinstance(error, urllib3.exceptions.NameResolutionError) or _has_cause(error, ResponseTooLargeError)


def _has_cause(error: Exception | None, kind: type[Exception]) -> bool:
    """Return whether an error of urllib3 wraps another one."""
    return error is not None and any(isinstance(cause, kind) for cause in error.args)


@dataclass(frozen=True)
class Response:
    """A complete HTTP response. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx; redirects are not followed, since a token is for one server."""
        return 300 <= self.status < 400

    def redirect_target(self) -> str:
        """Return the host of an absolute Location, or the path of a relative one: a query may hold a token, user information a password."""
        try:
            parts = urlsplit(self.headers.get("location", ""))
            return one_line(parts.hostname or parts.path, 100) or "an unknown address"
        except ValueError:
            return "an unknown address"

    def text(self, limit: int = 200) -> str:
        """Return the beginning of the body for people: one line without markup."""
        text = self.data[:4096].decode("utf-8", "replace")
        return one_line(_TAG.sub(" ", _UNSEEN.sub(" ", text)) if text.lstrip().startswith("<") else text, limit)

    def date(self) -> float | None:
        """Return the server's clock in epoch seconds, or None without a usable Date header.

        The header has whole seconds, so the middle of the second is the best estimate.
        """
        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp() + 0.5
        except (KeyError, ValueError):
            return None


def parse_json(data: bytes) -> Any:
    """Return the document in a body. Raises ValueError for whatever is none, too deep nesting included."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class HttpClient:
    """Sends requests over kept connections, through the proxy that the environment names for their URL. Threads may share it."""

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        validate_certs: bool = True,
        timeout_s: float = 30.0,
        connections: int = 1,
    ) -> None:
        """Prepare `connections` connections; `timeout_s` limits connecting (with CONNECT_TIMEOUT_S) and each response; `headers` go with every request.

        Raises HttpOptionError for a CA file that cannot be used. Nothing is sent yet.
        """
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        tls: dict[str, Any] = {"ca_certs": check_ca_file(ca_file)} if validate_certs else {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        if not validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._options: dict[str, Any] = {"num_pools": 2, "maxsize": connections, "block": True, "retries": False, **tls}
        self._pools: dict[Proxy | None, Any] = {}

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()

    def request(
        self,
        method: str,
        url: str,
        body: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
    ) -> Response:
        """Return the response of the last attempt, whatever its status; a file as body is not read into memory.

        Raises HttpError without a complete response within its limits.
        """
        limits = limits or Limits()
        response = self._send(method, url, body, headers or {}, retry, limits, preload_content=True)
        names = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, names, _decoded(response.data, names.get("content-encoding", ""), limits.size))

    def download(self, url: str, save: Callable[[Iterator[bytes]], None], retry: RetryPolicy | None = None, size: int = FILE_BYTES) -> int:
        """Hand the body of a GET, of at most about `size` bytes, to `save` in blocks, provided that the status is 200, and return the status.

        Raises HttpError, and what `save` raises.
        """
        response = self._send("GET", url, None, {}, retry, Limits(size + MEBIBYTE, TRANSFER_RATE), preload_content=False)
        try:
            if response.status == 200:
                save(response.stream(_BLOCK, decode_content=False))
            else:
                response.drain_conn()
            return int(response.status)
        except urllib3.exceptions.HTTPError as error:
            raise http_error(error) from error
        finally:
            response.release_conn()

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | Path | None,
        headers: Mapping[str, str],
        retry: RetryPolicy | None,
        limits: Limits,
        preload_content: bool,
    ) -> Any:
        policy = (retry or RetryPolicy()).start()
        read_s = min(self._timeout_s, policy.time_limit_s)
        options: dict[str, Any] = {
            "redirect": False,
            "preload_content": preload_content,
            # Otherwise a small response could become one of any size; nothing but identity is asked for.
            "decode_content": False,
            "retries": policy,
            "timeout": urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, read_s), read=read_s),
        }
        sent = {**self._headers, **headers}
        proxy = None
        try:
            proxy = environment_proxy(url)
            pool = self._pool(proxy)
            with limited(limits):
                if not isinstance(body, Path):
                    return pool.request(method, url, body=body, headers=sent, **options)
                with TimedFile(str(body)).limit(read_s) as stream:
                    return pool.request(method, url, body=stream, headers={**sent, "Content-Length": str(stream.bytes)}, **options)
        except ProxyError as error:
            raise HttpError(ErrorKind.CONNECTION, str(error).rstrip(".")) from error
        except urllib3.exceptions.HTTPError as error:
            failure = http_error(error)
            raise HttpError(failure.kind, f"{failure.reason}, through proxy {proxy.url}") if proxy else failure from error

    def _pool(self, proxy: Proxy | None) -> Any:
        """Return the connections to servers, or those to a proxy."""
        if proxy not in self._pools:
            if proxy is None:
                created = urllib3.PoolManager(**self._options)
            else:
                login = urllib3.make_headers(proxy_basic_auth=proxy.credentials) if proxy.credentials else None
                created = urllib3.ProxyManager(proxy.url, proxy_headers=login, **self._options)
            self._pools.setdefault(proxy, bound(created))
        return self._pools[proxy]


def _decoded(data: bytes, encoding: str, size: int) -> bytes:
    """Return a body that a server compressed although nothing but identity was asked for. Raises HttpError."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return data
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = reader.decompress(data, size)
    except zlib.error as error:
        raise HttpError(ErrorKind.CONNECTION, f"response damaged ({one_line(str(error))})") from error
    if reader.unconsumed_tail:
        raise HttpError(ErrorKind.TOO_LARGE, f"response larger than {size / MEBIBYTE:g} MiB")
    return plain


def http_error(error: Exception) -> HttpError:
    """Return the typed error for an exception of urllib3."""
    cause = getattr(error, "reason", None) if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    if problem := certificate_problem(cause):
        return HttpError(ErrorKind.CERTIFICATE, problem)
    if isinstance(cause, urllib3.exceptions.ProtocolError | urllib3.exceptions.ProxyError):
        if isinstance(inner := cause.args[-1], ResponseTooLargeError):
            return HttpError(ErrorKind.TOO_LARGE, str(inner))
        if isinstance(inner, TimeoutError):
            return HttpError(ErrorKind.TIMEOUT, "timed out")
    text = redact_text(one_line(str(cause)))
    if isinstance(cause, urllib3.exceptions.SSLError):
        return HttpError(ErrorKind.TLS, text)
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return HttpError(ErrorKind.NAME, "host name cannot be resolved")
    if "Connection refused" in text:
        return HttpError(ErrorKind.CONNECTION_REFUSED, "connection refused")
    if isinstance(cause, urllib3.exceptions.TimeoutError):
        return HttpError(ErrorKind.TIMEOUT, "timed out")
    # The library's message begins with its own objects.
    return HttpError(ErrorKind.CONNECTION, text.rsplit("): ", maxsplit=1)[-1][:200] or type(cause).__name__)


def certificate_problem(error: object) -> str | None:
    """Return why a server's certificate was not accepted, from an error of urllib3 or botocore, or None for any other error."""
    found = _CERTIFICATE.search(str(error))
    return (found[1] or found[2]) if found else None


def check_ca_file(ca_file: str | None) -> str | None:
    """Return the CA bundle's path, or None without one. Raises HttpOptionError if it cannot be read as certificates."""
    if not ca_file:
        return None
    if "BEGIN CERTIFICATE" not in _read(ca_file, "CA file"):
        raise HttpOptionError(f"CA file {ca_file}: no PEM certificate in it. Give a CA bundle in PEM format.")
    return ca_file


def authorization(token_file: str | None) -> dict[str, str]:
    """Return the header with which a client logs in by the content of a file, as a dictionary that is empty without a file.

    The file holds a bearer token or `user:password`: no token has a colon (RFC 6750, 2.1), no user name either (RFC 7617, 2).
    Raises HttpOptionError, which never shows the content.
    """
    login = read_login(token_file)
    if not login:
        return {}
    return basic_auth(login) if ":" in login else {"Authorization": f"Bearer {login}"}


def login_kind(headers: Mapping[str, str]) -> str:
    """Return whether the header of `authorization` has a `password` or a `token`, an empty text if there is none."""
    if not headers:
        return ""
    return "password" if headers["Authorization"].startswith("Basic") else "token"


def basic_auth(login: str) -> dict[str, str]:
    """Return the header for `user:password`."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def read_login(token_file: str | None) -> str | None:
    """Return the bearer token or `user:password` in a file, or None without a file. Raises HttpOptionError, which never shows the content."""
    if not token_file:
        return None
    text = _read(token_file, "Token file")
    login = text.strip("\r\n") if ":" in text else text.strip()
    user, colon, password = login.partition(":")
    is_password = bool(colon and _USER.fullmatch(user) and password and password.isprintable())
    if not (is_password or _TOKEN.fullmatch(login)):
        raise HttpOptionError(
            f"Token file {token_file}: no single bearer token in it, and no user:password. Write one of them alone into it, with mode 0600."
        )
    return login


def _read(path: str, what: str) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise HttpOptionError(f"{what} {path}: not readable ({error.strerror}). Correct the path or its permissions.") from error
    except UnicodeDecodeError as error:
        raise HttpOptionError(f"{what} {path}: not a text file. Correct the path.") from error
