# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that is an OpenSearch (or Elasticsearch) index: documents of every recorded cell, sent in bulk, counted afterwards.

https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.documents import of_cell
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import COUNTED, RecordSink, Upload, secret_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.web import Answer, Web, WebError, refused

# One request stays well below the 10 MB that some managed services take.
_BULK_BYTES = 2 << 20
_IDS = 1000


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
        """Raises SinkError for a CA file that cannot be used."""
        super().__init__(name)
        self._base = f"{url.rstrip('/')}/{quote(index)}"
        self._index = index
        username, password = secret_from(username_env), secret_from(password_env)
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        try:
            self._web = Web({"Authorization": f"Basic {login}"} if username else {}, ca_file, validate_certs, timeout_s)
        except WebError as error:
            raise self.error(str(error)) from error

    def location(self, run_id: str) -> str:
        return f"{self._base} (uuid {run_id})"

    def reach(self) -> None:
        # An index is made by the first document; without it the address and the login were right all the same.
        self._ask("GET", "_count", good=(200, 404))

    def index(self, run_id: str, uploads: Sequence[Upload], memory: dict[str, Any]) -> dict[str, Any]:
        files = {upload.path: upload for upload in uploads}
        cells = {path: upload for path, upload in files.items() if path.startswith("cells/") and path.endswith("/cell.json") and path.count("/") == 2}
        known = memory.setdefault("cells", {})
        new = [upload for path, upload in cells.items() if known.get(path) != upload.sha256]
        if not new or "run.json" not in files:
            return {"sent": 0, "bytes": 0, "unchanged": len(cells), "verified": {}}
        run = json.loads(files["run.json"].read())
        documents = dict(document for upload in new for document in of_cell(run, json.loads(upload.read())))
        size = sum(self._send(bulk) for bulk in bulks(documents))
        self._count(list(documents))
        known.update({upload.path: upload.sha256 for upload in new})
        return {"sent": len(documents), "bytes": size, "unchanged": len(cells) - len(new), "verified": {COUNTED: len(documents)}}

    def _send(self, bulk: bytes) -> int:
        answer = self._ask("POST", "_bulk", bulk, "application/x-ndjson")
        told = self._decoded(answer)
        errors = [entry.get("index", {}).get("error") for entry in told.get("items") or []] if told.get("errors") else []
        wrong = [error for error in errors if error]
        if wrong:
            first = wrong[0] if isinstance(wrong[0], dict) else {"reason": str(wrong[0])}
            why = f"{first.get('type', 'error')}: {first.get('reason', 'no reason given')}"[:300]
            raise self.error(f"index {self._index} refused {len(wrong)} documents ({why}). Correct its mapping or its space, then publish again.")
        return len(bulk)

    def _count(self, ids: Sequence[str]) -> None:
        """Raises SinkError unless every document is found by its id."""
        # Without the right to refresh, documents are found a moment later; the index's own interval is a second.
        self._ask("POST", "_refresh", good=(200, 403))
        found = 0
        for start in range(0, len(ids), _IDS):
            query = {"query": {"ids": {"values": list(ids[start : start + _IDS])}}}
            found += int(self._decoded(self._ask("POST", "_count", json.dumps(query).encode(), "application/json")).get("count", 0))
        if found != len(ids):
            raise self.error(f"index {self._index} has {found} of {len(ids)} documents that it took. Look at the index, then publish again.")

    def _ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "", good: Sequence[int] = (200,)) -> Answer:
        url = f"{self._base}/{path}"
        try:
            answer = self._web.request(method, url, body, {"Content-Type": content_type} if content_type else None)
        except WebError as error:
            raise self.error(str(error)) from error
        if answer.status not in good:
            raise self.error(str(refused(f"{method} {url}", answer)))
        return answer

    def _decoded(self, answer: Answer) -> dict[str, Any]:
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.error(f"{self._base} does not answer as an index does. Give the base URL of OpenSearch.")
        return found

    def close(self, for_good: bool = False) -> None:
        self._web.close()


def bulks(documents: Mapping[str, Mapping[str, Any]], limit: int = _BULK_BYTES) -> Iterator[bytes]:
    """Yields bodies of bulk requests of at most `limit` bytes (a single document may be larger)."""
    lines: list[bytes] = []
    size = 0
    for key, document in documents.items():
        pair = f"{json.dumps({'index': {'_id': key}})}\n{json.dumps(document, ensure_ascii=False, allow_nan=False)}\n".encode()
        if lines and size + len(pair) > limit:
            yield b"".join(lines)
            lines, size = [], 0
        lines.append(pair)
        size += len(pair)
    if lines:
        yield b"".join(lines)
