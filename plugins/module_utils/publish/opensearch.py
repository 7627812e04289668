# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is an index of OpenSearch or a compatible store: it stores documents created from records, and no files.

They have the form of kube-burner's (uuid, timestamp, metricName, labels, value):
https://kube-burner.github.io/kube-burner/latest/observability/metrics/ and …/measurements/ (quantiles as P50, P95, P99, max, avg).
"""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ATTEMPTS,
    PAUSE_FIRST_S,
    PAUSE_MAX_S,
    RETRY_STATUSES,
    HttpClient,
    HttpError,
    HttpOptionError,
    Response,
    RetryPolicy,
    basic_auth,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import (
    COUNTED,
    RecordSink,
    SinkError,
    Upload,
    secret_from,
)

try:
    import opensearchpy
    import opensearchpy.helpers
except ImportError:  # the module reports it with missing_required_lib
    opensearchpy = None  # type: ignore[assignment]
    OPENSEARCH_ERROR: str | None = traceback.format_exc()
else:
    OPENSEARCH_ERROR = None

# One request stays well below the 10 MB that some managed services accept.
_BULK_BYTES = 2 << 20
_IDS = 1000
SUMMARY, QUANTILES = "cellSummary", "operationLatencyQuantiles"
# Numbers of a component (docs/data_model.md) that are documents of their own.
RESOURCES = (
    "cpu_cores_mean",
    "cpu_cores_peak",
    "memory_bytes_mean",
    "memory_bytes_peak",
    "network.receive_bytes_per_s",
    "network.transmit_bytes_per_s",
    "throttled_ratio",
    "restarts",
    "oom_kills",
)
_QUANTILES = {"avg": "mean", "P50": "p50", "P90": "p90", "P95": "p95", "P99": "p99", "max": "max"}


class OpenSearchSink(RecordSink):
    """Sends documents into one index."""

    kind = "opensearch"

    def __init__(
        self,
        name: str,
        url: str,
        index: str = "perfscale-mlflow",
        username_env: str = "",
        password_env: str = "",
        ca_file: str = "",
        validate_certs: bool = True,
        timeout_s: float = 60,
    ) -> None:
        """Raise SinkError for a CA file that cannot be used. Nothing is sent yet."""
        super().__init__(name)
        self._base = f"{url.rstrip('/')}/{quote(index)}"
        self._index = index
        username, password = secret_from(username_env), secret_from(password_env)
        try:
            self._http = HttpClient(basic_auth(f"{username}:{password}") if username else {}, ca_file, validate_certs, timeout_s)
        except HttpOptionError as error:
            raise self.error(str(error)) from error
        self._client = opensearchpy.OpenSearch(
            url,
            connection_class=_connection_class(self._http),
            max_retries=ATTEMPTS - 1,
            retry_on_status=RETRY_STATUSES,
            retry_on_timeout=True,
        )

    def location(self, run_id: str) -> str:
        return f"{self._base} (uuid {run_id})"

    def check_access(self) -> None:
        # The first document creates the index; without it the address and the login are valid nevertheless.
        with self._sentences("GET", "_count"), suppress(opensearchpy.exceptions.NotFoundError):
            self._client.count(index=self._index)

    def index(self, run_id: str, uploads: Sequence[Upload], memory: dict[str, Any]) -> dict[str, Any]:
        files = {upload.path: upload for upload in uploads}
        cells = {path: upload for path, upload in files.items() if path.startswith("cells/") and path.endswith("/cell.json") and path.count("/") == 2}
        known = memory.setdefault("cells", {})
        new = [upload for path, upload in cells.items() if known.get(path) != upload.sha256]
        if not new or "run.json" not in files:
            return {"sent": 0, "bytes": 0, "unchanged": len(cells), "verified": {}}
        run = json.loads(files["run.json"].read())
        documents = dict(document for upload in new for document in documents_of(run, json.loads(upload.read())))
        self._send(documents)
        self._verify(list(documents))
        known.update({upload.path: upload.sha256 for upload in new})
        size = sum(len(json.dumps(document, ensure_ascii=False).encode()) for document in documents.values())
        return {"sent": len(documents), "bytes": size, "unchanged": len(cells) - len(new), "verified": {COUNTED: len(documents)}}

    def _send(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        actions = ({"_index": self._index, "_id": key, "_source": document} for key, document in documents.items())
        with self._sentences("POST", "_bulk"):
            results = opensearchpy.helpers.streaming_bulk(
                self._client,
                actions,
                max_chunk_bytes=_BULK_BYTES,
                raise_on_error=False,
                yield_ok=False,
                max_retries=ATTEMPTS - 1,
                # Its annotation requires whole seconds, its code accepts any.
                initial_backoff=PAUSE_FIRST_S,  # type: ignore[arg-type]
                max_backoff=PAUSE_MAX_S,  # type: ignore[arg-type]
            )
            failed = [next(iter(result.values())).get("error") for _is_ok, result in results]
        if failed:
            first = failed[0] if isinstance(failed[0], dict) else {"reason": str(failed[0])}
            why = f"{first.get('type', 'error')}: {first.get('reason', 'no reason given')}"[:300]
            raise self.error(f"index {self._index}: {len(failed)} documents rejected ({why}). Correct its mapping or its space, then publish again.")

    def _verify(self, ids: Sequence[str]) -> None:
        """Raise SinkError unless every document is found by its id."""
        # Without permission to refresh, documents are found a moment later; the index's own interval is a second.
        with self._sentences("POST", "_refresh"), suppress(opensearchpy.exceptions.AuthorizationException):
            self._client.indices.refresh(index=self._index)
        found = 0
        for start in range(0, len(ids), _IDS):
            query = {"query": {"ids": {"values": list(ids[start : start + _IDS])}}}
            with self._sentences("POST", "_count"):
                found += int(self._client.count(index=self._index, body=query)["count"])
        if found != len(ids):
            raise self.error(f"index {self._index}: {found} of {len(ids)} accepted documents found. Check the index, then publish again.")

    @contextmanager
    def _sentences(self, method: str, path: str) -> Iterator[None]:
        """Translate what the client library raises, and what responses of another kind of server lead to, into one sentence."""
        try:
            yield
        except opensearchpy.exceptions.TransportError as error:
            raise self._translated(f"{method} {self._base}/{path}", error) from error
        except (opensearchpy.exceptions.OpenSearchException, LookupError, AttributeError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self.error(f"{self._base}: response is not an index's. Give the base URL of OpenSearch.") from error

    def _translated(self, request: str, error: Any) -> SinkError:
        if isinstance(error.status_code, int):
            return self.rejected(request, Response(error.status_code, {}, str(error.error).encode()))
        return self.unreachable(self._base, error.info)

    def close(self, for_good: bool = False) -> None:
        self._client.close()


def _connection_class(http: HttpClient) -> type:
    """Return the connection that the client library uses for its requests: by the HTTP client of all others, with its limits and proxies."""

    class Connection(opensearchpy.connection.Connection):
        def perform_request(
            self,
            method: str,
            url: str,
            params: Mapping[str, Any] | None = None,
            body: bytes | None = None,
            timeout: float | None = None,
            ignore: Collection[int] = (),
            headers: Mapping[str, str] | None = None,
        ) -> Any:
            """Return (status, headers, text); raise the library's own errors, of which a failed connection has an HttpError as `info`."""
            address = f"{self.host}{self.url_prefix}{url}" + (f"?{urlencode(params)}" if params else "")
            try:
                # The library repeats requests itself.
                response = http.request(method, address, body, {**self.headers, **(headers or {})}, RetryPolicy(0, status_forcelist=()))
            except HttpError as error:
                raised = opensearchpy.exceptions.ConnectionTimeout if error.kind == "timeout" else opensearchpy.exceptions.ConnectionError
                raise raised("N/A", error.reason, error) from error
            text = response.data.decode("utf-8", "replace")
            if not response.is_success and response.status not in ignore:
                self._raise_error(response.status, text, response.headers.get("content-type"))
            return response.status, response.headers, text

        def close(self) -> None:
            """Close what the client of all requests holds."""
            http.close()

    return Connection


def documents_of(run: Mapping[str, Any], cell: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (id, document) for the records of a cell and its run: one summary, and of a measured cell its operations and resources.

    The id depends on run, cell and subject only, so that sending again replaces documents and creates no duplicates.
    """
    spec = cell["spec"]
    labels = {"cell": cell["id"], **{key: spec.get(key) for key in ("tenants", "concurrency", "rate", "profile", "repeat")}, **(spec.get("factors") or {})}
    common = {
        "uuid": run["run_id"],
        "timestamp": _time(cell),
        "jobName": cell["id"],
        "metadata": _scalars(run.get("fingerprint") or {}),
        "labels": _scalars(labels),
    }
    yield _document(common, SUMMARY, "", _summary(cell))
    for name, block in (cell.get("operations") or {}).items():
        yield _document(common, QUANTILES, name, {"quantileName": name, **_numbers(block)})
    for component, found in (cell.get("resources") or {}).items():
        for field in RESOURCES if found.get("status") == "ok" else ():
            value = _field(found, field)
            if value is not None:
                details = {"value": float(value), "labels": {**common["labels"], "component": component}}
                yield _document(common, field.replace(".", "_"), component, details)


def _document(common: Mapping[str, Any], metric: str, subject: str, details: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    key = "\n".join((str(common["uuid"]), str(common["jobName"]), metric, subject))
    return hashlib.sha256(key.encode()).hexdigest()[:32], {**common, "metricName": metric, **details}


def _field(found: Any, path: str) -> float | None:
    """Return the number at a path such as network.receive_bytes_per_s, or None."""
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, (int, float)) else None


def _summary(cell: Mapping[str, Any]) -> dict[str, Any]:
    spec, verdict = cell["spec"], cell["verdict"]
    window = cell.get("window") or {}
    details = {
        "verdict": verdict["status"],
        "reasons": list(verdict["reasons"]),
        "warnings": list(verdict["warnings"]),
        "elapsedTime": float(window["end"] - window["start"]) if window else 0.0,
        **{key: spec.get(key) for key in ("tenants", "concurrency", "repeat") if spec.get(key) is not None},
        **({"rate": float(spec["rate"])} if spec.get("rate") is not None else {}),
    }
    total = cell.get("total")
    if not total:
        return details
    return {**details, "value": float(total["goodput_per_s"]), **_numbers(total)}


def _numbers(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a block without nulls. Numbers with a fraction are never whole ones: an index takes the type of the first."""
    latency = {name: block["latency_ms"].get(key) for name, key in _QUANTILES.items()}
    rates = {"ratePerS": block["rate_per_s"], "goodputPerS": block["goodput_per_s"], "errorRatio": block["failed"] / block["n"] if block["n"] else None}
    counts = {key: block[key] for key in ("n", "ok", "failed")}
    return {"unit": "ms", **counts, **{name: float(value) for name, value in {**rates, **latency}.items() if value is not None}}


def _scalars(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the known values as texts: a label is a text for every run, whatever its type in the first one."""
    return {key: str(value) for key, value in found.items() if isinstance(value, (str, int, float, bool))}


def _time(cell: Mapping[str, Any]) -> str:
    """Return when the window (of a failed cell: the last attempt) ended, as an ISO 8601 text."""
    attempts = cell.get("attempts") or [{}]
    moment = (cell.get("window") or {}).get("end") or attempts[-1].get("ended") or 0
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
