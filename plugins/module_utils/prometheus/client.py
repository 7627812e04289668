# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two query endpoints of Prometheus' HTTP API, by POST (tenancies: GET); and the options by which modules reach a Prometheus."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ErrorKind,
    HttpClient,
    HttpError,
    HttpOptionError,
    Response,
    RetryPolicy,
    authorization,
    login_kind,
    parse_json,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line


class PrometheusError(Exception):
    """A request that failed; the text is one sentence. `final` means that other queries would fail too."""

    def __init__(self, message: str, final: bool = True) -> None:
        super().__init__(message)
        self.final = final


class PrometheusClient:
    """Queries one Prometheus (or Thanos querier). Counts its requests; `time_limit` bounds all of them and their retries together."""

    def __init__(
        self,
        url: str,
        token_file: str | None = None,
        ca_file: str | None = None,
        validate_certs: bool = True,
        tenancy_namespace: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        time_limit: float = 120.0,
    ) -> None:
        """Take times in seconds; `token_file` holds a bearer token or user:password.

        Raises PrometheusError for a URL, token file or CA file that cannot be used. Nothing is sent yet.
        """
        self.url = check_url(url)
        self.tenancy_namespace = tenancy_namespace
        self.timeout = timeout
        self.retries = retries
        self.time_limit = time_limit
        self.requests = 0
        self.warnings: list[str] = []
        self.clock_offset_s: float | None = None
        self._deadline: float | None = None
        try:
            login = authorization(token_file)
            self._http = HttpClient({"Accept": "application/json", **login}, ca_file, validate_certs, timeout)
        except HttpOptionError as error:
            raise PrometheusError(str(error)) from error
        self._login = login_kind(login)

    def instant(self, query: str, at: float, metric: str) -> dict[str, Any]:
        """Return the `data` part of an instant query evaluated at epoch seconds `at`."""
        return self._query("query", {"query": query, "time": f"{at:.3f}"}, metric)

    def range(self, query: str, start: float, end: float, step: float, metric: str) -> dict[str, Any]:
        """Return the `data` part of a range query; all times in seconds."""
        return self._query("query_range", {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}, metric)

    def _query(self, endpoint: str, form: Mapping[str, str], metric: str) -> dict[str, Any]:
        self.requests += 1
        if self._deadline is None:
            self._deadline = time.monotonic() + self.time_limit
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._unreachable(f"time limit of {self.time_limit:g} s used up", metric)
        try:
            response = self._send(endpoint, form, RetryPolicy(self.retries, allowed_methods=None, time_limit_s=left))
        except HttpError as error:
            raise self._failed(error, metric) from error
        if response.status != 200:
            raise self._rejected(response, metric)
        if (date := response.date()) is not None:
            self.clock_offset_s = round(date - time.time(), 1)
        return self._read(response.data, metric)

    def _send(self, endpoint: str, form: Mapping[str, str], retry: RetryPolicy) -> Response:
        url, query = f"{self.url.rstrip('/')}/api/v1/{endpoint}", urllib.parse.urlencode(form)
        if self.tenancy_namespace:
            # OpenShift's tenancy port reads the namespace from the URL, and treats a POST as a creation, which the role view forbids.
            return self._http.request("GET", f"{url}?{urllib.parse.urlencode({'namespace': self.tenancy_namespace})}&{query}", retry=retry)
        return self._http.request("POST", url, query.encode(), {"Content-Type": "application/x-www-form-urlencoded"}, retry)

    def _read(self, body: bytes, metric: str) -> dict[str, Any]:
        try:
            document = parse_json(body)
        except ValueError as error:
            start = body[:2000].lower()
            kind = "an HTML page, probably of a login or a proxy," if b"<html" in start or b"<!doctype" in start else "text"
            raise PrometheusError(
                f"Prometheus {self.url}: response is {kind} and not JSON. Give the URL of the query API itself (and its token)."
            ) from error
        if not isinstance(document, dict) or document.get("status") not in ("success", "error"):
            raise PrometheusError(f"Prometheus {self.url}: response is JSON, but not Prometheus'. Check the URL.")
        self._note_hints(document, metric)
        if document["status"] == "error":
            raise PrometheusError(f"Metric {metric}: {_api_error(document) or 'Prometheus says error without a text'}. Correct the query.", final=False)
        if not isinstance(document.get("data"), dict):
            raise PrometheusError(f"Prometheus {self.url}: response says success and has no data. Check that the URL is that of a Prometheus.")
        data: dict[str, Any] = document["data"]
        return data

    def _note_hints(self, document: Mapping[str, Any], metric: str) -> None:
        """Keep what a response says beside its result, each once (https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview)."""
        for key, verb in (("warnings", "warns"), ("infos", "informs")):
            hints = document.get(key) or []
            for hint in hints if isinstance(hints, list) else [hints]:
                text = f"Metric {metric}: Prometheus {verb}: {one_line(str(hint), 300)}"
                if text not in self.warnings:
                    self.warnings.append(text)

    def _rejected(self, response: Response, metric: str) -> PrometheusError:
        """Return the error for a status that is no success, in the server's own words."""
        where, status = f"Prometheus {self.url}", response.status
        try:
            document = parse_json(response.data)
        except ValueError:
            document = None
        words = _api_error(document) or response.text(120).rstrip(".") or "no text"
        if isinstance(document, dict):
            self._note_hints(document, metric)
        if status in RetryPolicy().status_forcelist:
            return self._unreachable(f"status {status} ({words})", metric)
        if status == 401:
            problem = f"{self._login} rejected" if self._login else "login required"
            return PrometheusError(f"{where}: {problem} (401: {words}). Put a valid bearer token or user:password into the token file.")
        if status == 403:
            problem = "request rejected" if self._login else "login required"
            return PrometheusError(
                f"{where}: {problem} (403: {words}). Give the login permission to query (on OpenShift the cluster role cluster-monitoring-view), "
                "or read what the server or the gateway before it wants."
            )
        if status in (400, 422):
            if api_error := _api_error(document):
                return PrometheusError(f"Metric {metric}: {api_error}. Correct the query.", final=False)
            return PrometheusError(f"{where}: status {status} without a reason of Prometheus ({words}). Check the URL.")
        if response.is_redirect:
            target = response.redirect_target()
            return PrometheusError(f"{where}: redirect to {target} ({status}). Give the final URL, or the token that a login page asks for.")
        return PrometheusError(f"{where}: status {status} ({words}). Check that the URL is that of a Prometheus, without /api/v1.")

    def _failed(self, error: HttpError, metric: str) -> PrometheusError:
        """Return the error for a request without a response."""
        if error.kind == ErrorKind.CERTIFICATE:
            return PrometheusError(f"Prometheus {self.url}: certificate not trusted ({error.reason}). Give its CA bundle, or turn certificate checks off.")
        if error.kind == ErrorKind.TOO_LARGE:
            return PrometheusError(f"Metric {metric}: {error.reason}. Aggregate in the query, or choose a larger step.", final=False)
        is_late = error.kind == ErrorKind.TIMEOUT
        return self._unreachable(f"no complete response within {self.timeout:g} s" if is_late else f"not reachable ({error.reason})", metric)

    def _unreachable(self, problem: str, metric: str) -> PrometheusError:
        return PrometheusError(
            f"Prometheus {self.url}: {problem} (metric {metric}, at most {self.retries + 1} attempts within {self.time_limit:g} s). "
            "Check that it runs and is reachable from here."
        )


def check_url(url: str) -> str:
    """Return the base URL. Raises PrometheusError, without user information, unless it is http(s)://host[:port][/prefix]."""
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if "@" in url:
        host = parts.hostname if valid else "(hidden)"
        raise PrometheusError(f"Prometheus {host}: credentials in its URL. Remove them, and put a bearer token or user:password into the token file.")
    if not valid or parts.query or parts.fragment:
        shown = one_line(re.split("[?#]", url, maxsplit=1)[0], 200)
        raise PrometheusError(f"Prometheus {shown!r}: not a base URL. Write it as http://127.0.0.1:9090 or https://host/prefix.")
    return url


def _api_error(document: Any) -> str:
    """Return what Prometheus says is wrong, or an empty text for a document of another kind."""
    if isinstance(document, dict) and document.get("error"):
        return f"Prometheus says {one_line(str(document.get('errorType', 'error')), 40)}: {one_line(str(document['error']), 500)}"
    return ""


def connection_spec() -> dict[str, Any]:
    """Return the argument spec documented in the fragment prometheus_connection."""
    return {
        "url": {"type": "str", "required": True},
        "token_file": {"type": "path", "no_log": False},  # a path; the token itself is never an argument
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
    }


def client_from(options: Mapping[str, Any]) -> PrometheusClient:
    """Return a client for the options of `connection_spec` and the limits of a module. Raises PrometheusError for unusable ones."""
    return PrometheusClient(
        url=options["url"],
        token_file=options["token_file"],
        ca_file=options["ca_file"],
        validate_certs=options["validate_certs"],
        tenancy_namespace=options["tenancy_namespace"],
        timeout=options["timeout"],
        retries=options["retries"],
        time_limit=options["time_limit"],
    )
