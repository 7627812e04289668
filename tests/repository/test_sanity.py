# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity on the archive, and the preparations that let it run without an ansible.com host."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT, TOOLS, files
from sanity import BOOTSTRAP, prepare_home

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not (TOOLS / "ansible-test").exists(), reason="ansible-test is not in this Python's environment")
def test_sanity_finds_nothing(archive: Path) -> None:
    """Run in a process of its own, as by hand."""
    command = [sys.executable, ROOT / "tests/repository/sanity.py", "--archive", archive]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    findings = [line for line in finished.stdout.splitlines() if line.startswith(("ERROR", "FATAL"))]
    assert finished.returncode == 0, "\n".join(findings) or finished.stdout + finished.stderr


def test_nothing_is_ignored() -> None:
    entries = [f"{path.name}: {line}" for path in files("tests/sanity/ignore*.txt") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert entries == []


def test_prepare_home_hands_pip_settings_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user, home = tmp_path / "user", tmp_path / "private"
    settings = user / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\ntimeout = 5\ncert = /a.pem\n[install]\nno-compile = true\n", encoding="utf-8")
    for name in ("PIP_CONFIG_FILE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "7")
    monkeypatch.setenv("PIP_CERT", "/b.pem")

    prepare_home(home)

    written = configparser.ConfigParser()
    written.read(home / ".config" / "pip" / "pip.conf", encoding="utf-8")
    assert written["global"]["timeout"] == "5"
    assert written["global"]["default-timeout"] == "7"
    assert written["global"]["cert"] == "/b.pem"
    assert written["install"]["no-compile"] == "true"
    assert next((home / ".ansible" / "test" / "cache").glob("get_pip_*.py")).read_text(encoding="utf-8") == BOOTSTRAP
    assert [path.name for path in user.iterdir()] == [".config"]
