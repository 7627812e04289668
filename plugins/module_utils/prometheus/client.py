# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two query endpoints of Prometheus' HTTP API, by POST (tenancies: GET), with bounded retries and sentences for what goes wrong."""

from __future__ import annotations

import email.utils
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_RETRIED = {429, 500, 502, 503, 504}
_LONGEST_PAUSE_S = 15.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be an error: a login page is no answer, and the token is for this host only."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class PrometheusError(Exception):
    """A request that failed; the text is one sentence. `final` means that other queries would fail alike."""

    def __init__(self, message: str, final: bool = True) -> None:
        super().__init__(message)
        self.final = final


def read_token(path: str | None) -> str | None:
    """Returns the bearer token in a file, or None without a path. Raises PrometheusError; never shows the content."""
    if not path:
        return None
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise PrometheusError(f"Token file {path}: cannot be read ({reason}). Check the path and its permissions.") from error
    if not token or any(character.isspace() for character in token):
        raise PrometheusError(f"Token file {path}: does not hold one bearer token. Write the token alone into it.")
    return token


@dataclass
class PrometheusClient:
    """Asks one Prometheus (or Thanos querier). Counts its requests; `deadline` bounds all of them and their retries together."""

    url: str
    token: str | None = None
    ca_file: str | None = None
    validate_certs: bool = True
    tenancy_namespace: str | None = None
    timeout: float = 30.0
    retries: int = 4
    time_limit: float = 120.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    warnings: list[str] = field(default_factory=list)
    clock_offset_s: float | None = None
    _deadline: float | None = None

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PrometheusError(f"Prometheus {self.url!r}: is not a URL. Give something like http://127.0.0.1:9090 or https://host/prefix.")
        if parts.username or parts.password:
            raise PrometheusError(f"Prometheus {parts.hostname}: its URL holds credentials. Take them out, and put a bearer token into the token file.")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise PrometheusError(f"CA file {self.ca_file}: does not exist. Check the path.")
        proxies = {} if parts.hostname in _LOOPBACK else None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=self._context()), _NoRedirect())

    def _context(self) -> ssl.SSLContext | None:
        """Returns one TLS context for all requests: loading the certificates of the system costs more than a query."""
        if not self.url.lower().startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise PrometheusError(f"CA file {self.ca_file}: holds no certificate that can be read. Give a file in PEM format.") from error
        if not self.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def instant(self, query: str, at: float, metric: str) -> dict[str, Any]:
        """Returns the `data` part of an instant query evaluated at epoch seconds `at`."""
        return self._ask("query", {"query": query, "time": f"{at:.3f}"}, metric)

    def range(self, query: str, start: float, end: float, step: float, metric: str) -> dict[str, Any]:
        """Returns the `data` part of a range query; all times in seconds."""
        return self._ask("query_range", {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}, metric)

    def _ask(self, endpoint: str, form: Mapping[str, str], metric: str) -> dict[str, Any]:
        self.requests += 1
        if self._deadline is None:
            self._deadline = self.clock() + self.time_limit
        failure = ""
        for attempt in range(self.retries + 1):
            left = self._deadline - self.clock()
            if left <= 0:
                break
            pause = min(2.0**attempt / 2, _LONGEST_PAUSE_S)
            try:
                return self._read(self._send(endpoint, form, min(self.timeout, left)), metric)
            except urllib.error.HTTPError as error:
                if error.code not in _RETRIED:
                    raise self._refusal(error, metric) from error
                failure = f"answered {error.code} ({_excerpt(error)})"
                pause = max(pause, _retry_after(error))
            except (OSError, http.client.HTTPException) as error:
                failure = self._explain(error)
            if attempt < self.retries and self.clock() + pause < self._deadline:
                self.sleep(pause)
            else:
                break
        raise PrometheusError(
            f"Prometheus {self.url}: {failure or f'the time limit of {self.time_limit:g} s was used up'} "
            f"(metric {metric}, at most {self.retries + 1} attempts within {self.time_limit:g} s). Check that it runs and is reachable from here."
        )

    def _send(self, endpoint: str, form: Mapping[str, str], timeout: float) -> bytes:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        address, body = f"{self.url.rstrip('/')}/api/v1/{endpoint}", urllib.parse.urlencode(form).encode()
        if self.tenancy_namespace:
            # OpenShift's tenancy port reads the namespace from the address, and takes a POST for the wish to create, which the role view forbids.
            address, body = f"{address}?{urllib.parse.urlencode({'namespace': self.tenancy_namespace, **form})}", None
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = urllib.request.Request(address, data=body, headers=headers)
        with self._opener.open(request, timeout=timeout) as response:
            body = response.read()
            self._note_clock(response.headers.get("Date"))
            return body

    def _note_clock(self, date: str | None) -> None:
        """Keeps the server's clock minus ours, in seconds; the header has a resolution of one second."""
        if date:
            try:
                self.clock_offset_s = round(email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - self.clock(), 1)
            except ValueError:
                self.clock_offset_s = None

    def _read(self, body: bytes, metric: str) -> dict[str, Any]:
        try:
            document = json.loads(body)
        except ValueError as error:
            kind = "an HTML page, probably of a login or a proxy," if b"<html" in body[:2000].lower() or b"<!doctype" in body[:2000].lower() else "something"
            raise PrometheusError(
                f"Prometheus {self.url}: answered with {kind} that is not JSON. Give the URL of the query API itself (and its token)."
            ) from error
        if not isinstance(document, dict) or document.get("status") != "success":
            raise PrometheusError(f"Metric {metric}: {_api_error(document)}. Correct the query.", final=False)
        for text in document.get("warnings") or []:
            self.warnings.append(f"Metric {metric}: Prometheus warns: {text}")
        return document["data"]

    def _refusal(self, error: urllib.error.HTTPError, metric: str) -> PrometheusError:
        where = f"Prometheus {self.url}"
        if error.code == 401:
            state = "refused the token (401)" if self.token else "wants a token (401)"
            return PrometheusError(f"{where}: {state}. Put a valid bearer token into the token file.")
        if error.code == 403:
            return PrometheusError(f"{where}: the token may not query (403). On OpenShift bind its account to cluster-monitoring-view.")
        if error.code in (400, 422):
            body = error.read()
            try:
                return PrometheusError(f"Metric {metric}: {_api_error(json.loads(body))}. Correct the query.", final=False)
            except ValueError:
                return PrometheusError(f"{where}: answered {error.code} without saying why. Check the URL.")
        if 300 <= error.code < 400:
            return PrometheusError(
                f"{where}: redirects to {error.headers.get('Location')} ({error.code}). Give the final URL, or the token that a login page asks for."
            )
        return PrometheusError(f"{where}: answered {error.code} ({_excerpt(error)}). Check that the URL is that of a Prometheus, without /api/v1.")

    def _explain(self, error: Exception) -> str:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise PrometheusError(
                f"Prometheus {self.url}: its certificate is not trusted ({getattr(reason, 'verify_message', reason)}). "
                "Give the CA file, or turn certificate checks off."
            ) from error
        if isinstance(reason, TimeoutError):
            return f"did not answer within {self.timeout:g} s"
        return f"cannot be reached ({getattr(reason, 'strerror', None) or reason or type(error).__name__})"


def _api_error(document: Any) -> str:
    if isinstance(document, dict) and document.get("error"):
        return f"Prometheus says {document.get('errorType', 'error')}: {document['error']}"
    return "the answer is JSON, but not Prometheus'"


def _excerpt(error: urllib.error.HTTPError) -> str:
    text = " ".join(error.read(300).decode("utf-8", "replace").split())
    return text[:120] if text and "<" not in text else str(error.reason)


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Returns the seconds of a Retry-After header, bounded; its date form is not used by Prometheus' proxies."""
    text = error.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE_S) if text.isdigit() else 0.0
