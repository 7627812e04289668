# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching the files of a load from the pod: packed there, read in pieces, verified, and only then deleted there."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import ATTEMPTS, PAUSE_S, PodRpc, RejectedError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import ROWS
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

MEBIBYTE = 1 << 20
# One exec costs a tenth of a second; what a cut connection loses is at most this.
PIECE = 8
PACK_TIMEOUT_S = 900.0
PACK_POLL_S = 0.5
EXIT_FILE = "k6.exit.json"
_CPU_TIMES = re.compile(r"(?:(\d+)m)?([\d.]+)s")


def fetch(rpc: PodRpc, remote: str, attempt: Path, with_raw: bool) -> dict[str, Any]:
    """Fetch the files of the pod's directory `remote` to the attempt's directory and delete them there; return {files, bytes, seconds}.

    The raw output is fetched as raw.csv.gz with the lines that are read later, unless it is not requested. The exit record comes last: where it is, all
    files are. What was fetched before an interruption is not fetched again. Raises ClusterError and FileWriteError.
    """
    started = time.monotonic()
    listed = _pack(rpc, remote, "\n".join(ROWS) if with_raw else "")
    names = sorted(listed, key=lambda name: name == "exit.json")
    total = 0
    for name in names:
        size, digest = listed[name]
        _download(rpc, remote, name, attempt, size, digest)
        total += size
    if "exit.json" in names:
        write_exit(attempt)
    rpc.call("clean", str(PurePosixPath(remote).parent), PurePosixPath(remote).name)
    return {"files": [name for name in names if name != "exit.json"], "bytes": total, "seconds": round(time.monotonic() - started, 3)}


def write_exit(attempt: Path) -> None:
    """Convert the pod's exit record into the one of every kind of generator (k6.exit.json). Raises FileWriteError."""
    raw = attempt / "exit.json"
    write_json(attempt / EXIT_FILE, exit_record(raw.read_text(encoding="utf-8")))
    raw.unlink()


def exit_record(text: str) -> dict[str, Any]:
    """Return the exit record from the text of the pod's: seconds instead of hundredths, CPU seconds from the shell's `times`. Raises ValueError."""
    record = json.loads(text)
    cpu = [float(minutes or 0) * 60 + float(seconds) for minutes, seconds in _CPU_TIMES.findall(record["cpu_times"])]
    return {
        "pid": record["pid"],
        "exit_code": record["exit_code"],
        "signal": None,
        "started": record["started"],
        "ended": record["started"] + record["lasted_cs"] / 100,
        "cpu_seconds": round(sum(cpu), 6) if cpu else None,
        "max_rss_bytes": None,
        "oom_kills": record["oom_kills"],
    }


def _pack(rpc: PodRpc, remote: str, words: str) -> dict[str, tuple[int, str]]:
    """Return size and checksum by file once the raw output is packed."""
    deadline = time.monotonic() + PACK_TIMEOUT_S
    while True:
        try:
            response = rpc.call("pack", remote, words, timeout_s=120.0)
        except RejectedError as error:
            raise ClusterError(f"Pod {rpc.container.pod}: raw output in {remote} not packed. Its volume may be full; enlarge it.") from error
        if response["phase"] == "packed":
            break
        if response["phase"] == "absent":
            raise ClusterError(f"Pod {rpc.container.pod}: no {remote}, so the files of the load are gone. Run the same again.", reason="Gone")
        if time.monotonic() > deadline:
            raise ClusterError(f"Pod {rpc.container.pod}: raw output in {remote} not packed within {PACK_TIMEOUT_S:g} s. Check the CPU limit of the pod.")
        time.sleep(PACK_POLL_S)
    listed = {}
    for key, value in response.items():
        if key.startswith("file "):
            size, digest = value.split()
            listed[key.removeprefix("file ")] = (int(size), digest)
    return listed


def _download(rpc: PodRpc, remote: str, name: str, attempt: Path, size: int, digest: str) -> None:
    """Fetch one file; twice, if it arrived damaged the first time."""
    final, part = attempt / name, attempt / f".{name}.part"
    try:
        attempt.mkdir(parents=True, exist_ok=True)
        for _try in (1, 2):
            if not final.exists():
                _read_into(rpc, remote, name, part, size)
                part.replace(final)
            if file_digest(final) == {"sha256": digest, "bytes": size}:
                return
            final.unlink()
    except OSError as error:
        raise FileWriteError(explain(final, error)) from error
    raise ClusterError(f"File {name} of pod {rpc.container.pod}: wrong checksum, twice. It stays in the pod at {remote}; run the same again.")


def _read_into(rpc: PodRpc, remote: str, name: str, part: Path, size: int) -> None:
    """Append what is missing; whole mebibytes of an earlier try are used."""
    with part.open("r+b" if part.exists() else "w+b") as stream:
        have = min(part.stat().st_size, size) // MEBIBYTE * MEBIBYTE
        stream.truncate(have)
        stream.seek(have)
        failures = 0
        while have < size:
            try:
                piece = rpc.read(remote, name, have // MEBIBYTE, PIECE)
            except ClusterError as error:
                piece, details = b"", str(error)
            else:
                details = f"{len(piece)} bytes received"
            if len(piece) == min(PIECE * MEBIBYTE, size - have):
                stream.write(piece)
                have += len(piece)
                continue
            failures += 1
            if failures >= ATTEMPTS:
                where = f"{rpc.container.namespace}/{rpc.container.pod}"
                raise ClusterError(f"File {name} of pod {where}: download interrupted {failures} times ({details}). Check the connection; run the same again.")
            time.sleep(PAUSE_S)
