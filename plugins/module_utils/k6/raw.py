# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The raw output of k6 (`--out csv`), read in one pass in blocks.

Format (output/csv of grafana/k6): a header `metric_name,timestamp,metric_value,<tags…>,extra_tags,metadata`, then one
row per metric value; the stamp is the end of the request in the unit of K6_CSV_TIME_FORMAT. The eight or nine rows of
one request are neighbours: http_req_waiting follows its http_req_duration. Keys inside extra_tags and metadata come
in any order. A killed k6 leaves an unfinished last line, which is never used.

The load script writes a row wrong_answers for a request with a successful status whose response cannot be one of the operation; its metadata has
the kind of wrong answer, and the request's duration in milliseconds, which identifies it among those of the same operation, tenant and journey.

The HTTP client of k6 (Go's net/http, `shouldRetryRequest`) silently repeats a request without a body when a kept-alive connection ends before the
response. k6's tracer (lib/netext/httpext/tracer.go) then still counts from the first connection: the first attempt and the new connection are in
http_req_sending, and http_req_blocked is the time of the new connection, where that of a kept one is a few microseconds. http_req_connecting stays 0,
since the first connection was a kept one; the first request of a virtual user has the time of its connection there.

Error codes: https://grafana.com/docs/k6/latest/javascript-api/error-codes/ (1050 request timeout, 1100-1199 DNS,
1200-1299 TCP, 1300-1399 TLS, 1400-1599 the HTTP status itself).
"""

from __future__ import annotations

import csv
import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import BODILESS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, UNKNOWN, Kind, Requests

_BLOCK = 1 << 22
_DURATION = b"\nhttp_req_duration,"
_WAITING = b"\nhttp_req_waiting,"
_SENDING = b"\nhttp_req_sending,"
_BLOCKED = b"\nhttp_req_blocked,"
_CONNECTING = b"\nhttp_req_connecting,"
_OTHERS = re.compile(rb"\n(journey_duration|heartbeat_lateness|vus|dropped_iterations|iterations|wrong_answers|tenant_leaks),([^\n]*)")
_MILLISECONDS_PER_UNIT = {10: 1000.0, 13: 1.0, 16: 1e-3, 19: 1e-6}
ROWS = (
    *("metric_name,", "http_req_duration,", "http_req_blocked,", "http_req_connecting,", "http_req_sending,", "http_req_waiting,"),
    *("journey_duration,", "heartbeat_lateness,", "vus,", "iterations,", "wrong_answers,", "tenant_leaks,"),
)
"""What marks the lines that are read here (dropped_iterations among them): a file with only these gives the same result at two thirds of the bytes."""
REPEAT_MS = 1.0
"""Sending a request without a body takes some hundredths of a millisecond; an attempt that cost less than this changes no latency."""
_NEW_CONNECTION_MS = 0.03
TIMEOUT = "1050"
ISOLATION = "isolation_"
"""Begins the operations that ask for another tenant's objects (files/k6/lib/isolation.js)."""
WRONG_ANSWER = "answer_"
"""Begins the error code of a request whose response cannot be one of the operation; the kind follows: type, body or part."""
_DIAL_TIMEOUT = "1211"
_DIAL_LIMIT_MS = 30000.0
"""How long k6 tries to open a connection (the dialer of its js/runner.go)."""
_BROKEN = (ValueError, KeyError, StopIteration, OverflowError, csv.Error)


class K6ResultError(Exception):
    """The output of k6 cannot be turned into a result; the message is one sentence for the user."""


class Journey(NamedTuple):
    """A journey that ended (milliseconds)."""

    start_ms: float
    duration_ms: float
    name: str
    outcome: str
    tenant: str = ""


class WrongAnswer(NamedTuple):
    """A request whose response cannot be one of the operation: when that was recorded (epoch ms), its duration (1/100 ms), what it was, and how it failed."""

    time_ms: float
    duration: int
    operation: str
    journey: str
    tenant: str
    kind: str


class Aside(NamedTuple):
    """A request that asked for another tenant's objects: its start (epoch ms), duration (ms), operation and status. It is in no total."""

    start_ms: float
    duration_ms: float
    operation: str
    status: int


class Leak(NamedTuple):
    """An object of tenant `other` that `tenant` was given (epoch ms), and how: by_id or by_search."""

    time_ms: float
    tenant: str
    other: str
    how: str


class Row(NamedTuple):
    """Any other value: its epoch milliseconds, the value, k6's scenario, and the number of the shard that wrote it (0: the load has none)."""

    time_ms: float
    value: float
    scenario: str
    shard: int = 0


@dataclass
class Raw:
    """What a raw file, or the pool of several, holds; its requests are among those of the load."""

    requests: Requests = field(default_factory=Requests)
    first_start_ms: float = math.inf
    """The start of the first request (epoch ms)."""
    journeys: list[Journey] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    heartbeats: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)
    dropped: list[Row] = field(default_factory=list)
    iterations: list[Row] = field(default_factory=list)
    duration_rows: int = 0
    unreadable: int = 0
    wrong_answers: int = 0
    unmatched_answers: int = 0
    """Wrong answers whose request has no readable row."""
    is_truncated: bool = False
    last_ms: float = 0.0

    @property
    def count(self) -> int:
        """Return how many requests were read."""
        return self.duration_rows - self.unreadable - len(self.aside)


def read_raw(path: Path, timeout_ms: float, raw: Raw | None = None, shard: int = 0) -> Raw:
    """Read a raw file, plain or gzip, complete or truncated, into `raw`, if it is given, and return that.

    timeout_ms: the request timeout of the load, used as the duration of requests that never got a connection. shard: the number of the shard that wrote
    it, if the load has several. Raises K6ResultError when it is no such file, and FileWriteError when there is no room for its requests.
    """
    return _Reader(path, timeout_ms, raw or Raw(), shard).read()


def pool(raws: list[Raw]) -> Raw:
    """Return the rows of all shards, whose requests are in one place, as those of one load."""
    whole = Raw(raws[0].requests)
    for raw in raws:
        for name in ("journeys", "aside", "leaks", "heartbeats", "users", "dropped", "iterations"):
            getattr(whole, name).extend(getattr(raw, name))
        for name in ("duration_rows", "unreadable", "wrong_answers", "unmatched_answers"):
            setattr(whole, name, getattr(whole, name) + getattr(raw, name))
        whole.is_truncated = whole.is_truncated or raw.is_truncated
        whole.first_start_ms = min(whole.first_start_ms, raw.first_start_ms)
        whole.last_ms = max(whole.last_ms, raw.last_ms)
    return whole


class _Reader:
    def __init__(self, path: Path, timeout_ms: float, raw: Raw, shard: int) -> None:
        self.path = path
        self.timeout_ms = timeout_ms
        self.shard = shard
        self.raw = raw
        self.load = raw.requests
        self.fields = self.load.columns
        # The place in memory of the first request of this file.
        self.first = len(self.fields["start"])
        self.invalid_stamp = b""
        self.tags: list[str] = []
        self.known: dict[bytes, int] = {}
        self.wrong_answers: list[WrongAnswer] = []
        self.others: dict[bytes, Callable[[bytes, bytes, bytes], None]] = {
            b"journey_duration": lambda *row: self.raw.journeys.append(self.journey(*row)),
            b"heartbeat_lateness": lambda *row: self.raw.heartbeats.append(self.row(*row)),
            b"vus": lambda *row: self.raw.users.append(self.row(*row)),
            b"dropped_iterations": lambda *row: self.raw.dropped.append(self.row(*row)),
            b"iterations": lambda *row: self.raw.iterations.append(self.row(*row)),
            b"tenant_leaks": lambda *row: self.raw.leaks.append(self.leak(*row)),
            b"wrong_answers": lambda *row: self.wrong_answers.append(self.wrong_answer(*row)),
        }

    def read(self) -> Raw:
        for block in self.blocks():
            if not self.tags:
                self.header(block)
            self.requests(block)
            self.other_rows(block)
            if self.load.is_full():
                # A request is read before the row about its wrong answer, and not long before: the later ones stay in memory.
                self.mark_wrong_answers()
                self.first = max(0, self.first - self.load.write_out())
        if not self.tags:
            raise K6ResultError(f"Raw samples {self.path}: empty or without a complete line. See k6.log in the same directory for the reason.")
        if self.invalid_stamp and not self.raw.last_ms:
            shown = self.invalid_stamp.decode("utf-8", "replace")
            raise K6ResultError(f"Raw samples {self.path}: time stamp {shown!r} is not an epoch time. Set K6_CSV_TIME_FORMAT=unix_milli for k6.")
        self.mark_wrong_answers()
        return self.raw

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks that start and end with a newline, so that each line and each request is complete."""
        rest = b"\n"
        for chunk in _chunks(self.path, self.raw):
            block = rest + chunk
            cut = block.rfind(_DURATION)
            if cut < 0:
                cut = block.rfind(b"\n")
            if cut > 0:
                yield block[:cut + 1]
            # At 0 the rest of a request is still to come.
            rest = block[cut:]
        cut = rest.rfind(b"\n")
        if cut > 0:
            yield rest[:cut + 1]
        self.raw.is_truncated = self.raw.is_truncated or len(rest) - cut > 1

    def header(self, block: bytes) -> None:
        line = block[1:block.index(b"\n", 1)]
        columns = line.decode("utf-8", "replace").strip().split(",")
        if columns[:3] != ["metric_name", "timestamp", "metric_value"] or "name" not in columns or "status" not in columns:
            raise K6ResultError(
                f"Raw samples {self.path}: not the CSV output of k6 with the tags name and status (its first line is {line[:80]!r}). "
                "Run k6 with --out csv and these system tags."
            )
        self.tags = columns[3:]

    def requests(self, block: bytes) -> None:
        # Two searches per request cost a third of examining each of its nine lines.
        at = block.find(_DURATION)
        while at >= 0:
            self.raw.duration_rows += 1
            following = block.find(_DURATION, at + 1)
            end = block.index(b"\n", at + 1)
            try:
                stamp, value, rest = block[at + len(_DURATION):end].split(b",", 2)
                number = self.request(stamp, value, rest)
            except _BROKEN:
                self.raw.unreadable += 1
            else:
                if number is None:
                    at = following
                    continue
                at = block.find(_WAITING, end, following if following >= 0 else len(block))
                if at >= 0:
                    self.waiting(stamp, number, block[at + len(_WAITING):block.index(b"\n", at + 1)])
                    waiting = self.fields["waiting"][-1]
                    if waiting != UNKNOWN and self.fields["duration"][-1] - waiting >= REPEAT_MS * PRECISION:
                        self.repeat(number, block[end:at + 1])
            at = following

    def request(self, stamp: bytes, value: bytes, rest: bytes) -> int | None:
        """Add a request and return the number of its kind, None for one that stands aside."""
        end = self.time(stamp)
        duration = _amount(value)
        number = self.kind(rest)
        kind = self.load.kind_table[number]
        if kind.operation.startswith(ISOLATION):
            self.raw.aside.append(Aside(end - duration, duration, kind.operation, kind.status))
            return None
        if not duration:
            duration = unmeasured_wait_ms(kind.error_code, self.timeout_ms)
        start = round(end - duration)
        self.load.add(start, round(duration * PRECISION), number, self.shard)
        self.raw.first_start_ms = min(self.raw.first_start_ms, start)
        return number

    def waiting(self, stamp: bytes, number: int, line: bytes) -> None:
        """Set the waiting time if its row belongs to the last request; a row in between may have been damaged."""
        try:
            own_stamp, value, rest = line.split(b",", 2)
            if own_stamp == stamp and self.kind(rest) == number:
                self.fields["waiting"][-1] = round(_amount(value) * PRECISION)
        except _BROKEN:
            pass

    def repeat(self, number: int, rows: bytes) -> None:
        """Note that the last request was sent twice, if the rows between its duration and its waiting time show it."""
        try:
            sending, blocked, connecting = (_amount(rows.partition(name)[2].split(b",", 2)[1]) for name in (_SENDING, _BLOCKED, _CONNECTING))
        except (*_BROKEN, IndexError):
            return
        is_slow = sending >= max(REPEAT_MS, blocked) and blocked >= _NEW_CONNECTION_MS and connecting == 0
        if is_slow and self.load.kind_table[number].operation in BODILESS:
            self.fields["repeated"][-1] = 1

    def other_rows(self, block: bytes) -> None:
        for match in _OTHERS.finditer(block):
            try:
                self.others[match[1]](*match[2].split(b",", 2))
            except (*_BROKEN, TypeError):
                pass

    def journey(self, stamp: bytes, value: bytes, rest: bytes) -> Journey:
        tags = self.parse(rest)
        duration = _amount(value)
        return Journey(self.time(stamp) - duration, duration, tags.get("journey", ""), tags.get("outcome", ""), tags.get("tenant", ""))

    def leak(self, stamp: bytes, _value: bytes, rest: bytes) -> Leak:
        tags = self.parse(rest)
        return Leak(self.time(stamp), tags.get("tenant", ""), tags.get("other", ""), tags["name"])

    def wrong_answer(self, stamp: bytes, _value: bytes, rest: bytes) -> WrongAnswer:
        tags = self.parse(rest)
        duration = round(_amount(tags["duration_ms"].encode()) * PRECISION)
        return WrongAnswer(self.time(stamp), duration, tags["name"], tags.get("journey", ""), tags.get("tenant", ""), tags["answer"])

    def mark_wrong_answers(self) -> None:
        """Give each wrong answer's request its error code: of the requests alike, the one that ended closest to the row about it."""
        if not self.wrong_answers:
            return
        starts, durations, kinds = (self.fields[name] for name in ("start", "duration", "kind"))
        alike: dict[tuple[int, str, str, str], list[int]] = {(one.duration, one.operation, one.journey, one.tenant): [] for one in self.wrong_answers}
        for i in range(self.first, len(starts)):
            kind = self.load.kind_table[kinds[i]]
            if (found := alike.get((durations[i], kind.operation, kind.journey, kind.tenant))) is not None and not kind.error_code:
                found.append(i)
        self.raw.wrong_answers += len(self.wrong_answers)
        for wrong in self.wrong_answers:
            candidates = alike[wrong.duration, wrong.operation, wrong.journey, wrong.tenant]
            if not candidates:
                self.raw.unmatched_answers += 1
                continue
            started = wrong.time_ms - wrong.duration / PRECISION
            _distance, i = min((abs(starts[i] - started), i) for i in candidates)
            candidates.remove(i)
            kinds[i] = self.load.number_of(self.load.kind_table[kinds[i]]._replace(error_code=f"{WRONG_ANSWER}{wrong.kind}"))
        self.wrong_answers.clear()

    def row(self, stamp: bytes, value: bytes, rest: bytes) -> Row:
        return Row(self.time(stamp), _amount(value), self.parse(rest).get("scenario", ""), self.shard)

    def kind(self, rest: bytes) -> int:
        number = self.known.get(rest)
        if number is None:
            tags = self.parse(rest)
            kind = Kind(tags["name"], tags.get("journey", ""), tags.get("tenant", ""), int(tags["status"]), tags.get("error_code", ""))
            number = self.known[rest] = self.load.number_of(kind)
        return number

    def parse(self, rest: bytes) -> dict[str, str]:
        fields = next(csv.reader([rest.decode("utf-8", "replace")], strict=True))
        tags = dict(zip(self.tags, fields, strict=True))
        tags |= dict(parse_qsl(tags.get("extra_tags", ""))) | dict(parse_qsl(tags.get("metadata", "")))
        # Few texts, in very many rows.
        return {name: intern(text) for name, text in tags.items()}

    def time(self, stamp: bytes) -> float:
        unit = _MILLISECONDS_PER_UNIT.get(len(stamp))
        if unit is None or not stamp.isdigit():
            self.invalid_stamp = stamp
            raise ValueError("not an epoch time")
        moment = int(stamp) * unit
        self.raw.last_ms = max(self.raw.last_ms, moment)
        return moment


def unmeasured_wait_ms(error_code: str, timeout_ms: float) -> float:
    """Return how long a request that never got a connection had to wait (milliseconds); k6 writes 0 for it.

    timeout_ms is the request timeout of the load. A refused connection costs nothing.
    """
    if error_code == TIMEOUT:
        return timeout_ms
    return min(_DIAL_LIMIT_MS, timeout_ms) if error_code == _DIAL_TIMEOUT else 0.0


def _amount(value: bytes) -> float:
    amount = float(value)
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError("not an amount")
    return amount


def _inflated(inflate: Any, block: bytes) -> Iterator[bytes]:
    """Yield what a block holds in pieces of bounded size: raw output is packed to a twentieth."""
    while block:
        yield inflate.decompress(block, _BLOCK)
        block = inflate.unconsumed_tail


def _chunks(path: Path, raw: Raw) -> Iterator[bytes]:
    """Yield the content; a truncated or damaged gzip stream yields what precedes the damage."""
    try:
        with path.open("rb") as stream:
            block = stream.read(_BLOCK)
            inflate = zlib.decompressobj(wbits=31) if block.startswith(b"\x1f\x8b") else None
            while block:
                yield from _inflated(inflate, block) if inflate else (block,)
                block = stream.read(_BLOCK)
            if inflate:
                yield inflate.flush()
            raw.is_truncated = inflate is not None and not inflate.eof
    except zlib.error:
        raw.is_truncated = True
    except FileNotFoundError as error:
        raise K6ResultError(f"Raw samples {path}: the file is missing. See k6.log in the same directory for the reason.") from error
    except OSError as error:
        raw.is_truncated = True
        raise K6ResultError(f"Raw samples {path}: cannot be read ({error.strerror}). Check its permissions.") from error
