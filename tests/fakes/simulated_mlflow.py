# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated MLflow whose behaviour is programmed, and which logs what it served: the known truth of tests and benchmarks.

It responds to every request of prefill and journeys with what a healthy MLflow might answer, and keeps nothing unless asked to. Programmed are, all optional:

  latency       {operation or "*": distribution}, what serving a request takes: {"constant": ms}, {"lognormal": [median ms, sigma]},
                {"bimodal": [ms, ms, share of the second]}, {"pareto": [least ms, shape]}
  workers       requests that are served at once; others wait in their order. None: no limit
  faults        list of faults, see `fault`; the first that applies to a request is taken
  stalls        list of [from, to]: nothing is served in between
  slow          list of [from, to, factor]: serving takes that many times as long
  slow_tenants  {tenant: factor}
  slow_paths    {prefix: factor}: requests whose path begins so are served as if it did not, that many times as long; a client that is given such a URL has
                a slow way to the server
  drift_per_s   how much longer serving takes with every second, as a share: after t seconds 1 + t * drift_per_s times
  apart         "kept" or "leaking": each tenant has an experiment of its own, and gets a 404 for that of another one, or that very experiment; else all
                tenants are given the same ones
  tokens        {workspace: token or user:password}; any other login gets a 401
  store         true: workspaces and data sets are kept (simulated_store), so that a whole run can be made
  seed          of all random numbers

Times are in seconds since the first request. A process of its own, since the CPU of k6 is measured beside it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import heapq
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fakes.mlflow_answers import JSON_TYPE, LOGIN_PAGE, Answer, answer_to, own_answer
from fakes.simulated_store import Store

FAULTS = ("status", "login_page", "half_json", "empty_object", "reset")
_END_LIMIT_S = 20


class Served(NamedTuple):
    """A request as the server saw it: epoch milliseconds at which it was read and its response written; `fault` is empty for a healthy response."""

    start_ms: float
    end_ms: float
    operation: str
    tenant: str
    status: int
    fault: str

    @property
    def duration_ms(self) -> float:
        """How long the server had it."""
        return self.end_ms - self.start_ms


def fault(
    kind: str, operations: list[str] | None = None, share: float = 1.0, every: int = 0, between: list[float] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a fault: of which operations (all), which share of them at random or every n-th, and between which seconds.

    Kinds: status (`status`, and `retry_after` seconds), login_page (HTML with status 200), half_json (the first half of the body), empty_object,
    reset (the connection is closed instead of a response).
    """
    assert kind in FAULTS, kind
    return {"kind": kind, "operations": operations, "share": share, "every": every, "between": between, **more}


def failing(status: int, **where: Any) -> dict[str, Any]:
    """Return a fault of requests that get an error status."""
    return fault("status", status=status, **where)


class Behaviour:
    """What is programmed; all random numbers come from one seed."""

    def __init__(self, programmed: dict[str, Any]) -> None:
        self.latency = programmed.get("latency", {})
        self.faults = programmed.get("faults", [])
        self.stalls = programmed.get("stalls", [])
        self.slow = programmed.get("slow", [])
        self.slow_tenants = programmed.get("slow_tenants", {})
        self.slow_paths = programmed.get("slow_paths", {})
        self.drift_per_s = programmed.get("drift_per_s", 0.0)
        self.tokens = programmed.get("tokens")
        self.apart = programmed.get("apart")
        self._random = random.Random(programmed.get("seed", 1))
        self._free = [0.0] * programmed["workers"] if programmed.get("workers") else []
        self._seen = [0] * len(self.faults)

    def fault_of(self, operation: str, at: float) -> dict[str, Any]:
        """Return the first fault that applies to a request at that second, or {}."""
        for number, entry in enumerate(self.faults):
            if entry["operations"] and operation not in entry["operations"]:
                continue
            if entry["between"] and not entry["between"][0] <= at < entry["between"][1]:
                continue
            self._seen[number] += 1
            if self._seen[number] % entry["every"] == 0 if entry["every"] else self._random.random() < entry["share"]:
                return entry
        return {}

    def way_of(self, path: str) -> tuple[str, float]:
        """Return the path without the prefix of a slow way, and how many times as long that takes."""
        prefix = next((known for known in self.slow_paths if path.startswith(known)), "")
        return path.removeprefix(prefix), self.slow_paths.get(prefix, 1.0)

    def end_of(self, operation: str, tenant: str, at: float, slowness: float = 1.0) -> float:
        """Return the second at which a request that arrives at `at` is served: after those before it, and not during a stall."""
        begin = max(at, self._free[0]) if self._free else at
        factor = math.prod(factor for begun, ended, factor in self.slow if begun <= begin < ended)
        seconds = self._draw(operation) / 1000 * factor * slowness * self.slow_tenants.get(tenant, 1) * (1 + self.drift_per_s * begin)
        end = begin + seconds
        for stall, over in self.stalls:
            if begin < over and end > stall:
                end += over - max(begin, stall)
        if self._free:
            heapq.heapreplace(self._free, end)
        return end

    def _draw(self, operation: str) -> float:
        distribution = self.latency.get(operation) or self.latency.get("*") or {"constant": 0.0}
        [(kind, parameters)] = distribution.items()
        if kind == "constant":
            return parameters
        if kind == "lognormal":
            return parameters[0] * self._random.lognormvariate(0, parameters[1])
        if kind == "bimodal":
            return parameters[1] if self._random.random() < parameters[2] else parameters[0]
        assert kind == "pareto", kind
        return parameters[0] * self._random.paretovariate(parameters[1])

    def has_wrong_token(self, tenant: str, login: str) -> bool:
        """Return whether the login of a request is not that of its workspace; without a workspace any known one is right."""
        if self.tokens is None:
            return False
        allowed = [self.tokens.get(tenant)] if tenant else self.tokens.values()
        return login not in map(_authorization, map(str, allowed))


def _authorization(token: str) -> str:
    return f"Basic {base64.b64encode(token.encode()).decode()}" if ":" in token else f"Bearer {token}"


def _faulty(entry: dict[str, Any], answer: Answer) -> tuple[int, Answer, str]:
    """Return status, content and further headers of a faulty response."""
    if entry["kind"] == "status":
        headers = f"Retry-After: {entry['retry_after']}\r\n" if entry.get("retry_after") else ""
        return entry["status"], Answer(JSON_TYPE, b'{"error_code": "FAILED", "message": "simulated"}'), headers
    content = {
        "login_page": Answer("text/html; charset=utf-8", LOGIN_PAGE),
        "half_json": answer._replace(body=answer.body[: len(answer.body) // 2]),
        "empty_object": answer._replace(body=b"{}"),
    }
    return 200, content[entry["kind"]], ""


@dataclass
class Shared:
    """What all connections share."""

    behaviour: Behaviour
    store: Store | None
    served: list[Served] = field(default_factory=list)
    begun: float | None = None


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take_one():
            pass

    def _take_one(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].decode("latin-1")
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < size:
            return False
        body, self._buffer = self._buffer[end + 4:size], self._buffer[size:]
        method, target = request.split(" ", 2)[:2]
        self._respond(method, target, headers, body)
        return True

    def _respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        # A client that was given this server as its proxy sends the whole URL.
        parts = urlsplit(target)
        path, slowness = self._shared.behaviour.way_of(parts.path)
        shared, start_ms, now = self._shared, time.time() * 1000, self._loop.time()
        shared.begun = now if shared.begun is None else shared.begun
        at = now - shared.begun
        tenant = headers.get("x-mlflow-workspace", "")
        operation, answer = answer_to(method, path, target.encode() + body)
        if shared.store:
            answer = shared.store.answer(method, path, dict(parse_qsl(parts.query)), body, tenant) or answer
        if shared.behaviour.has_wrong_token(tenant, headers.get("authorization", "")):
            self._write(Served(start_ms, 0, operation, tenant, 401, "token"), Answer(JSON_TYPE, b"{}"), "")
            return
        own = own_answer(operation, tenant, target.encode() + body, shared.behaviour.apart == "leaking") if shared.behaviour.apart else None
        if own:
            status, answer = own
            self._write(Served(start_ms, 0, operation, tenant, status, ""), answer, "")
            return
        entry = shared.behaviour.fault_of(operation, at)
        status, answer, more = _faulty(entry, answer) if entry and entry["kind"] != "reset" else (200, answer, "")
        served = Served(start_ms, 0, operation, tenant, 0 if entry.get("kind") == "reset" else status, entry.get("kind", ""))
        end = shared.behaviour.end_of(operation, tenant, at, slowness)
        if end > at:
            self._loop.call_at(shared.begun + end, self._write, served, answer, more)
        else:
            self._write(served, answer, more)

    def _write(self, served: Served, answer: Answer, more: str) -> None:
        self._shared.served.append(served._replace(end_ms=time.time() * 1000))
        if served.status == 0:
            self._transport.abort()
            return
        kind = f"Content-Type: {answer.content_type}\r\n" if answer.content_type else ""
        head = f"HTTP/1.1 {served.status} Simulated\r\n{kind}{more}Content-Length: {len(answer.body)}\r\n\r\n"
        self._transport.write(head.encode() + answer.body)


async def serve(programmed: dict[str, Any]) -> None:
    """Serve on a free port, print it, and write the log when standard input ends."""
    loop = asyncio.get_running_loop()
    shared = Shared(Behaviour(programmed), Store() if programmed.get("store") else None)
    server = await loop.create_server(lambda: Connection(shared), programmed["host"], 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    with open(programmed["log"], "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(shared.served)


@dataclass
class Simulation:
    """A running simulation: its URL, and after its end what it served."""

    url: str
    served: list[Served] = field(default_factory=list)


@contextlib.contextmanager
def simulated_mlflow(host: str = "127.0.0.1", **programmed: Any) -> Iterator[Simulation]:
    """Yield a running simulation; `programmed` is described above."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "served.csv"
        settings = json.dumps({**programmed, "host": host, "log": str(log)})
        process = subprocess.Popen([sys.executable, __file__, settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin and process.stdout
        simulation = Simulation(f"http://{host}:{process.stdout.readline().strip()}")
        try:
            yield simulation
        finally:
            process.stdin.close()
            process.wait(timeout=_END_LIMIT_S)
            process.stdout.close()
        with log.open(encoding="utf-8", newline="") as stream:
            simulation.served = [Served(float(row[0]), float(row[1]), row[2], row[3], int(row[4]), row[5]) for row in csv.reader(stream)]


@contextlib.contextmanager
def simulated_url(**programmed: Any) -> Iterator[str]:
    """Yield the URL of a running simulation, where nobody reads its log."""
    with simulated_mlflow(**programmed) as simulation:
        yield simulation.url


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
