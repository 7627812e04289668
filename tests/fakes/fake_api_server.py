# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake Kubernetes API server: real HTTP on loopback, objects in memory, pages, other responses scripted by the test.

It handles paths and labels, and little of kinds: every POST to a collection creates, every path below one is an object, and discovery shows the
kinds of which it has objects. tests/cluster uses a real one.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# /api/v1/namespaces/NS/pods/NAME/log, /apis/GROUP/VERSION/… alike; the namespace itself is a collection of its own.
_NAMESPACED = re.compile(r"(?P<root>/api/v1|/apis/[^/]+/[^/]+)/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?P<rest>/.+)?")
_CLUSTER = re.compile(r"(?P<root>/api/v1|/apis/[^/]+/[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?P<rest>/.+)?")


class FakeApiServer:
    """Responds like an API server; `answers[(method, path)]` overrides it, as a list of (status, body) used up one by one.

    Status 0 breaks the connection before anything is done, -1 after it; `__headers` in a body are headers. `hook(method, path, body)` may
    return an response of its own.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.hook: Callable[[str, str, Any], tuple[int, Any] | None] = lambda _method, _path, _body: None
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.in_flight_max = 0
        self._version = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeApiServer:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, path: str, labels: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
        """Store an object under its path, such as /api/v1/namespaces/a, and return it."""
        collection, name = path.rsplit("/", 1)
        metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": self._next(), "labels": labels or {}, **parts.pop("metadata", {})}
        namespaced = _NAMESPACED.fullmatch(collection)
        if namespaced:
            metadata["namespace"] = namespaced["namespace"]
        self.objects[(collection, name)] = {"metadata": metadata, **parts}
        return self.objects[(collection, name)]

    def get(self, path: str) -> dict[str, Any] | None:
        """Return what is stored under a path."""
        collection, name = path.rsplit("/", 1)
        return self.objects.get((collection, name))

    def writes(self) -> list[tuple[str, str, Any]]:
        """Return the requests that could change something."""
        return [request for request in self.requests if request[0] != "GET"]

    def answer(self, method: str, target: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return (status, headers, body) of one request."""
        parts = urlsplit(target)
        with self._lock:
            self.requests.append((method, target, body))
            self.headers.append(headers)
            scripted = self.answers.get((method, parts.path))
            found = scripted.pop(0) if scripted else self.hook(method, parts.path, body)
            if found is None or found[0] == -1:
                done = self._serve(method, parts.path, parse_qs(parts.query), body)
                found = done if found is None else (0, {})
            return _packed(*found)

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    def _serve(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.34.4", "major": "1", "minor": "34"}
        if method == "GET" and path == "/apis":
            roots = {tuple(root.split("/")[2:]) for root, _plural in self._served() if root.startswith("/apis/")}
            return 200, {"groups": [{"name": group, "preferredVersion": {"version": version}} for group, version in sorted(roots)]}
        if method == "GET" and path in {"/api/v1", *(root for root, _plural in self._served())}:
            return 200, {"resources": [_resource(plural) for root, plural in sorted(self._served()) if root == path]}
        if method == "POST" and "metadata" not in body:
            return _status(404, "NotFound", f"{path} has no response unless the test scripts one")
        if method == "POST":
            name = body["metadata"]["name"]
            if (path, name) in self.objects:
                return _status(409, "AlreadyExists", f'"{name}" already exists')
            stored = self.put(f"{path}/{name}", **{**body, "metadata": body["metadata"]})
            return 201, stored
        if self.get(path) is not None:
            return self._one(method, path, body)
        return self._all(path, query) if method == "GET" and self._is_collection(path) else _status(404, "NotFound", f"{path} not found")

    def _served(self) -> set[tuple[str, str]]:
        """Return the API root and the plural of every namespaced kind that has an object."""
        found = (_NAMESPACED.fullmatch(collection) for collection, _name in self.objects)
        return {(match["root"], match["plural"]) for match in found if match}

    def _is_collection(self, path: str) -> bool:
        match = _NAMESPACED.fullmatch(path) or _CLUSTER.fullmatch(path)
        return bool(match) and not match["name"]

    def _one(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        found = self.get(path)
        assert found is not None
        if method == "DELETE":
            collection, name = path.rsplit("/", 1)
            del self.objects[(collection, name)]
        elif method == "PATCH":
            _merge(found, body)
            found["metadata"]["resourceVersion"] = self._next()
        elif method == "PUT":
            if body["metadata"].get("resourceVersion") not in (None, found["metadata"]["resourceVersion"]):
                return _status(409, "Conflict", "the object has been modified")
            found.clear()
            found.update(body)
            found["metadata"]["resourceVersion"] = self._next()
        return 200, found

    def _all(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        wanted = [pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if pair]
        items = [item for (collection, _name), item in sorted(self.objects.items()) if _matches(path, collection) and _carries(item, wanted)]
        name = query.get("fieldSelector", [""])[0].removeprefix("metadata.name=")
        items = [item for item in items if name in ("", item["metadata"]["name"])]
        start, limit = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["0"])[0]) or len(items)
        more = str(start + limit) if start + limit < len(items) else ""
        return 200, {"metadata": {"continue": more}, "items": items[start : start + limit]}


def _resource(plural: str) -> dict[str, Any]:
    """Return a kind as discovery shows it; its name is derived from the plural, which is all that is known of it here."""
    return {"name": plural, "kind": plural.removesuffix("s").capitalize(), "namespaced": True, "verbs": ["create", "delete", "get", "list", "patch"]}


def _matches(path: str, collection: str) -> bool:
    """Return whether a path belongs to a collection; one over all namespaces holds those of each."""
    if path == collection:
        return True
    whole, single = _CLUSTER.fullmatch(path), _NAMESPACED.fullmatch(collection)
    return bool(whole and single and not whole["name"] and (whole["root"], whole["plural"]) == (single["root"], single["plural"]))


def _carries(item: dict[str, Any], wanted: list[list[str]]) -> bool:
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in wanted)


def _merge(found: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            _merge(found[key], value)
        else:
            found[key] = value


def _status(code: int, reason: str, message: str) -> tuple[int, Any]:
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message}


def _packed(status: int, body: Any) -> tuple[int, dict[str, str], bytes]:
    headers = dict(body.pop("__headers", {})) if isinstance(body, dict) else {}
    return status, {"Content-Type": "application/json", **headers}, body if isinstance(body, bytes) else json.dumps(body).encode()


def _handler(fake: FakeApiServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            fake.in_flight += 1
            fake.in_flight_max = max(fake.in_flight_max, fake.in_flight)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, data = fake.answer(self.command, self.path, json.loads(raw) if raw else None, dict(self.headers.items()))
            fake.in_flight -= 1
            if status <= 0:
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in {"Date": self.date_time_string(), **headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_unused: object) -> None:
            """Print nothing."""

    return Handler
