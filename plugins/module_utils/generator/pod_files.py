# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load left in the pod, brought to the controller: packed there, read in pieces, verified, and only then removed there."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_script import ATTEMPTS, PAUSE_S, PodScript, Refused
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import ROWS
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

MEBIBYTE = 1 << 20
# One exec costs a tenth of a second; what a cut connection loses is at most this.
PIECE = 8
PACK_LIMIT_S = 900.0
PACK_POLL_S = 0.5
EXIT_FILE = "k6.exit.json"
_CPU_TIMES = re.compile(r"(?:(\d+)m)?([\d.]+)s")


def fetch(script: PodScript, remote: str, attempt: Path, with_raw: bool) -> dict[str, Any]:
    """Brings the files of the pod's directory `remote` to the attempt's directory and removes them there; returns {files, bytes, seconds}.

    The raw output comes as raw.csv.gz with the lines that are read later, unless it is not wanted. The exit record comes last, so it stands
    for the whole. What was fetched before an interruption is not fetched again. Raises ClusterError and FileWriteError.
    """
    started = time.monotonic()
    listed = _packed(script, remote, "\n".join(ROWS) if with_raw else "")
    names = sorted(listed, key=lambda name: name == "exit.json")
    total = 0
    for name in names:
        size, digest = listed[name]
        _download(script, remote, name, attempt, size, digest)
        total += size
    if "exit.json" in names:
        keep_exit(attempt)
    script.ask("clean", str(PurePosixPath(remote).parent), PurePosixPath(remote).name)
    return {"files": [name for name in names if name != "exit.json"], "bytes": total, "seconds": round(time.monotonic() - started, 3)}


def keep_exit(attempt: Path) -> None:
    """Turns the pod's exit record into the one that every kind of generator leaves (k6.exit.json). Raises FileWriteError."""
    raw = attempt / "exit.json"
    write_json(attempt / EXIT_FILE, exit_record(raw.read_text(encoding="utf-8")))
    raw.unlink()


def exit_record(text: str) -> dict[str, Any]:
    """Returns the exit record from the text of the pod's: seconds instead of hundredths, CPU seconds from the shell's `times`. Raises ValueError."""
    told = json.loads(text)
    cpu = [float(minutes or 0) * 60 + float(seconds) for minutes, seconds in _CPU_TIMES.findall(told["cpu_times"])]
    return {
        "pid": told["pid"],
        "exit_code": told["exit_code"],
        "signal": None,
        "started": told["started"],
        "ended": told["started"] + told["lasted_cs"] / 100,
        "cpu_seconds": round(sum(cpu), 6) if cpu else None,
        "max_rss_bytes": None,
        "oom_kills": told["oom_kills"],
    }


def _packed(script: PodScript, remote: str, words: str) -> dict[str, tuple[int, str]]:
    """Returns size and checksum by file once the raw output is packed."""
    deadline = time.monotonic() + PACK_LIMIT_S
    while True:
        try:
            answer = script.ask("pack", remote, words, timeout_s=120.0)
        except Refused as refusal:
            raise ClusterError(f"Pod {script.container.pod}: the raw output in {remote} cannot be packed. Its volume may be full.") from refusal
        if answer["phase"] == "packed":
            break
        if answer["phase"] == "absent":
            raise ClusterError(f"Pod {script.container.pod}: has no {remote}. The load's files are gone; run the same again.", reason="Gone")
        if time.monotonic() > deadline:
            raise ClusterError(f"Pod {script.container.pod}: raw output in {remote} was not packed within {PACK_LIMIT_S:g} s. Look at the pod's processor.")
        time.sleep(PACK_POLL_S)
    listed = {}
    for key, value in answer.items():
        if key.startswith("file "):
            size, digest = value.split()
            listed[key.removeprefix("file ")] = (int(size), digest)
    return listed


def _download(script: PodScript, remote: str, name: str, attempt: Path, size: int, digest: str) -> None:
    """Brings one file; twice, if the first came damaged."""
    final, part = attempt / name, attempt / f".{name}.part"
    try:
        attempt.mkdir(parents=True, exist_ok=True)
        for _try in (1, 2):
            if not final.exists():
                _read_into(script, remote, name, part, size)
                part.replace(final)
            if file_digest(final) == {"sha256": digest, "bytes": size}:
                return
            final.unlink()
    except OSError as error:
        raise FileWriteError(explain(final, error)) from error
    raise ClusterError(f"File {name} of pod {script.container.pod}: came with another checksum, twice. It is kept in the pod at {remote}; run the same again.")


def _read_into(script: PodScript, remote: str, name: str, part: Path, size: int) -> None:
    """Appends what is missing; whole mebibytes of an earlier try are used."""
    with part.open("r+b" if part.exists() else "w+b") as stream:
        have = min(part.stat().st_size, size) // MEBIBYTE * MEBIBYTE
        stream.truncate(have)
        stream.seek(have)
        failures = 0
        while have < size:
            try:
                piece = script.read(remote, name, have // MEBIBYTE, PIECE)
            except ClusterError as error:
                piece, said = b"", str(error)
            else:
                said = f"{len(piece)} bytes came"
            if len(piece) == min(PIECE * MEBIBYTE, size - have):
                stream.write(piece)
                have += len(piece)
                continue
            failures += 1
            if failures >= ATTEMPTS:
                where = f"{script.container.namespace}/{script.container.pod}"
                raise ClusterError(f"File {name} of pod {where}: was cut off {failures} times ({said}). Check the connection; run the same again.")
            time.sleep(PAUSE_S)
