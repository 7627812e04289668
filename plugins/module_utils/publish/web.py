# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a server that takes results: kept connections, bounded retries, no redirects, bodies from files, one-sentence errors."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import RETRY_STATUS, check_ca, pause
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

try:
    import urllib3
except ImportError:  # the modules report it with missing_required_lib
    urllib3 = None

ATTEMPTS = 4
_BLOCK = 1 << 20
_TAG = re.compile(r"<[^>]*>")
# So urllib3 and botocore say it, of the chain and of the name.
_UNTRUSTED = re.compile(r"certificate verify failed: (.+?)\.?(?: \(_ssl|$)|(hostname .+ doesn't match .+)")
_REMEDIES = {
    401: "Set or correct the secret in the environment of ansible-playbook (in AWX: in the credential)",
    403: "Give the user of that secret the right to write and read there",
    404: "Correct the address",
    405: "It does not take this kind of request; correct the address, or choose a server that takes PUT",
    409: "The folder above it may be missing; let the server make folders, or make it",
    413: "The server limits the size of a file; raise that limit",
    507: "The server has no space left; free some",
}


class WebError(Exception):
    """A server refused, or did not answer; the text says what happened and what to do, without naming a sink."""


class Answer(NamedTuple):
    """What a server answered. Names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Web:
    """Sends requests to one server. Threads may share it."""

    def __init__(self, headers: Mapping[str, str], ca_file: str, validate_certs: bool, timeout_s: float, connections: int = 4) -> None:
        """Raises WebError for a CA file that cannot be used. `timeout_s` limits connecting (at most 10 s) and each wait for an answer."""
        try:
            tls: dict[str, Any] = {"ca_certs": check_ca(ca_file)} if validate_certs else {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        except MlflowError as error:
            raise WebError(str(error)) from error
        if not validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        timeout = urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s)
        self._headers = dict(headers)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=connections, block=True, retries=False, timeout=timeout, **tls)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def request(self, method: str, url: str, body: bytes | Path | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Returns the answer of the last attempt, whatever its status; a file as body is sent without being read whole. Raises WebError without one."""
        answer = self._send(method, url, body, headers or {})
        try:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)
        finally:
            answer.release_conn()

    def download(self, url: str, destination: Path) -> int:
        """Writes what a server answers to a GET into a file, and returns the status; nothing is written unless it is 200. Raises WebError, FileWriteError."""
        answer = self._send("GET", url, None, {}, preload_content=False)
        try:
            if answer.status == 200:
                write_atomic(destination, lambda stream: _copy(answer, stream))
            else:
                answer.drain_conn()
            return int(answer.status)
        except urllib3.exceptions.HTTPError as error:
            raise WebError(_unreachable(url, error)) from error
        finally:
            answer.release_conn()

    def _send(self, method: str, url: str, body: bytes | Path | None, headers: Mapping[str, str], preload_content: bool = True) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                answer = self._once(method, url, body, {**self._headers, **headers}, preload_content)
                if last or answer.status not in RETRY_STATUS:
                    return answer
                answer.drain_conn()
                after = answer.headers.get("Retry-After")
            except urllib3.exceptions.HTTPError as error:
                if last or isinstance(error, (urllib3.exceptions.SSLError, urllib3.exceptions.NameResolutionError)):
                    raise WebError(_unreachable(url, error)) from error
                after = None
            time.sleep(pause(attempt, after))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, url: str, body: bytes | Path | None, headers: dict[str, str], preload_content: bool) -> Any:
        options = {"redirect": False, "preload_content": preload_content}
        if not isinstance(body, Path):
            return self._pool.request(method, url, body=body, headers=headers, **options)
        with body.open("rb") as stream:
            length = {"Content-Length": str(body.stat().st_size)}
            return self._pool.request(method, url, body=stream, headers={**headers, **length}, **options)


def refused(what: str, answer: Answer) -> WebError:
    """Returns the error for an answer that is no success; `what` is the request."""
    if 300 <= answer.status < 400:
        host = urlsplit(answer.headers.get("location", "")).hostname or "another address"
        return WebError(f"{what}: was answered {answer.status}, a redirect to {host}, which is not followed. Give the address where it leads.")
    text = answer.data[:1000].decode("utf-8", "replace")
    said = " ".join((_TAG.sub(" ", text) if text.lstrip().startswith("<") else text).split())[:200]
    remedy = _REMEDIES.get(answer.status, "Look at the server, then publish again")
    return WebError(f"{what}: was answered {answer.status} ({said or 'no text'}). {remedy}.")


def untrusted(server: str, error: Exception) -> str | None:
    """Returns what to say of an error of the client library that is about the server's certificate, or None of any other."""
    found = _UNTRUSTED.search(str(error))
    if not found:
        return None
    why = found[1] or found[2]
    return f"the certificate of {server} is not trusted ({why}). Give its authority as ca_file, in the address a name that it is for, or renew it."


def _unreachable(url: str, error: Exception) -> str:
    server = urlsplit(url).netloc
    if told := untrusted(server, error):
        return told
    # The library begins with its own objects.
    cause = str(error).rsplit("Caused by ", maxsplit=1)[-1].rsplit("): ", maxsplit=1)[-1][:200]
    return f"{server} does not answer ({cause}). Check address, network and certificate, then publish again."


def _copy(answer: Any, stream: Any) -> None:
    for block in answer.stream(_BLOCK):
        stream.write(block)
