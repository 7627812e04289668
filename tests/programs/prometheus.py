# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus. The executable comes from PERFSCALE_PROMETHEUS, else from PATH."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from programs.k6 import executable

READY_S = 30.0


@contextmanager
def running_prometheus(directory: Path, configuration: str = "scrape_configs: []\n", *options: str) -> Iterator[str]:
    """Run a Prometheus over the folder `data` of a directory and give its URL. Raises RuntimeError when it does not get ready."""
    server = executable("prometheus", "PERFSCALE_PROMETHEUS")
    (directory / "prometheus.yml").write_text(configuration, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}", *options]
    with (directory / "log").open("wb") as log, subprocess.Popen([server, *arguments], cwd=directory, stdout=log, stderr=log) as process:
        try:
            _wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"Prometheus at {url}: not ready after {READY_S:g} s, or ended early.")
