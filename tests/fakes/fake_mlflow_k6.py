# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake MLflow for load: responds to every route of the workload at once, with plausible JSON and no state.

For what a real MLflow cannot show: the generator's own cost per request (a response costs next to nothing) and its
behaviour towards a server that fails. A process of its own, since the CPU of k6 is measured beside it: run as a script
it prints its port and serves until its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

API = "/api/2.0/mlflow/"
PROMPT_TAGS = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


def _experiment(number: int) -> dict:
    return {"experiment_id": str(number), "name": f"Exp-{number}", "artifact_location": "mlflow-artifacts:/1",
            "lifecycle_stage": "active", "last_update_time": 1, "creation_time": 1}


def _run(number: int) -> dict:
    info = {"run_id": f"{number:032x}", "run_uuid": f"{number:032x}", "experiment_id": "1", "status": "FINISHED",
            "artifact_uri": "mlflow-artifacts:/1/run/artifacts", "lifecycle_stage": "active", "start_time": 1}
    metrics = [{"key": f"metric_{i}", "value": 0.5, "timestamp": 1, "step": 0} for i in range(3)]
    return {"info": info, "data": {"metrics": metrics, "params": [{"key": f"param_{i}", "value": "1"} for i in range(5)]}}


def _prompt(number: int) -> dict:
    name = f"Exp-{number}-Prompt-{number:032x}"
    return {"name": name, "creation_timestamp": 1, "tags": PROMPT_TAGS,
            "latest_versions": [{"name": name, "version": "1", "source": "dummy-source", "tags": PROMPT_TAGS * 4}]}


RESPONSES = {
    path: json.dumps(response).encode()
    for path, response in {
        API + "experiments/create": {"experiment_id": "1"},
        API + "experiments/search": {"experiments": [_experiment(i) for i in range(25)]},
        API + "experiments/get": {"experiment": _experiment(1)},
        API + "registered-models/create": {"registered_model": _prompt(1)},
        API + "registered-models/search": {"registered_models": [_prompt(i) for i in range(50)]},
        API + "model-versions/create": {"model_version": {"name": "Prompt", "version": "1"}},
        API + "runs/create": {"run": _run(1)},
        API + "runs/get": {"run": _run(1)},
        API + "runs/search": {"runs": [_run(i) for i in range(10)]},
        API + "artifacts/list": {"files": [{"path": f"artifact_{i}.json", "file_size": 10240} for i in (1, 2)]},
        "/api/3.0/mlflow/workspaces": {"workspaces": [{"name": f"tenant-{i}"} for i in range(1, 11)]},
    }.items()
}
FILE = json.dumps({"lines": ["x" * 100] * 100}).encode()


class Failure:
    """Which requests fail, and how; with `tokens` (workspace to token or user:password) also those that carry another tenant's, with 401."""

    def __init__(self, status: int = 0, every: int = 1, retry_after: int = 0, path: str = "", tokens: dict[str, str] | None = None) -> None:
        self.status, self.every, self.path, self.tokens = status, every, path, tokens
        self.headers = f"Retry-After: {retry_after}\r\n" if retry_after else ""
        self._seen = 0

    def applies(self, path: str) -> bool:
        """Count the request; return whether it is an `every`th of those whose path contains `path`."""
        if not self.status or self.path not in path:
            return False
        self._seen += 1
        return self._seen % self.every == 0

    def has_wrong_token(self, head: bytes) -> bool:
        """Return whether the token of a request is not that of its workspace."""
        if self.tokens is None:
            return False
        headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
        workspace = headers.get("x-mlflow-workspace")
        allowed = self.tokens.values() if workspace is None else [self.tokens.get(workspace)]
        return headers.get("authorization") not in map(_authorization, map(str, allowed))


def _authorization(token: str) -> str:
    return f"Basic {base64.b64encode(token.encode()).decode()}" if ":" in token else f"Bearer {token}"


def body_of(method: str, path: str) -> bytes:
    """Return the body of a successful response; an upload's is empty, as MLflow's own since 3.16."""
    if path.startswith("/api/2.0/mlflow-artifacts/"):
        return FILE if method == "GET" else b""
    return RESPONSES.get(path, b"{}")


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection. `counts` and `failure` are shared by all."""

    def __init__(self, counts: Counter, failure: Failure, delay_s: float) -> None:
        self._counts, self._failure, self._delay_s = counts, failure, delay_s
        self._buffer = b""

    def connection_made(self, transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._respond_to_one():
            pass

    def _respond_to_one(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end]
        mark = head.lower().find(b"\r\ncontent-length:")
        length = int(head[mark + 17:].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return False
        self._buffer = self._buffer[end + 4 + length:]
        method, target = (part.decode() for part in head.split(b" ", 2)[:2])
        if target != "/counts" and self._failure.has_wrong_token(head):
            self._counts["wrong tokens"] += 1
            self._write("401 Unauthorized", b"{}")
        else:
            # A client that was given this server as its proxy sends the whole URL.
            self._respond(method, urlsplit(target).path if target.startswith("http:") else target.split("?", 1)[0])
        return True

    def _respond(self, method: str, path: str) -> None:
        if path == "/counts":
            self._write("200 OK", json.dumps(self._counts).encode())
            return
        if self._failure.applies(path):
            self._counts[f"failed {method} {path}"] += 1
            self._write(f"{self._failure.status} Failed", b'{"error_code": "FAILED", "message": "fake"}', self._failure.headers)
            return
        self._counts[f"{method} {path}"] += 1
        self._write("200 OK", body_of(method, path))

    def _write(self, status: str, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        response = head.encode() + body
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve(failure: Failure, delay_s: float, host: str) -> None:
    """Serve on a free port, print it, end with standard input."""
    loop = asyncio.get_running_loop()
    counts: Counter = Counter()
    server = await loop.create_server(lambda: Connection(counts, failure, delay_s), host, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextlib.contextmanager
def fake_mlflow(**options: Any) -> Iterator[str]:
    """Yield the URL of a running fake; the options are those of the command line."""
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://{options.get('host', '127.0.0.1')}:{process.stdout.readline().strip()}"
    finally:
        process.stdin.close()
        process.wait(timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fail", type=int, default=0, help="status of failed requests; 0: none fails")
    parser.add_argument("--every", type=int, default=1, help="fail every n-th request")
    parser.add_argument("--retry-after", type=int, default=0, help="seconds named in Retry-After")
    parser.add_argument("--path", default="", help="fail only where the path contains this")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--delay-ms", type=float, default=0, help="milliseconds that each response takes")
    parser.add_argument("--tokens", type=Path, help="JSON file with the token of each workspace; any other gets a 401")
    chosen = parser.parse_args()
    tokens = json.loads(chosen.tokens.read_text()) if chosen.tokens else None
    asyncio.run(serve(Failure(chosen.fail, chosen.every, chosen.retry_after, chosen.path, tokens), chosen.delay_ms / 1000, chosen.host))


if __name__ == "__main__":
    main()
