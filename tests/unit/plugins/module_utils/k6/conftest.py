# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written by real k6, by version (see tests/unit/fixtures/k6/README.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

CAPTURED = Path(__file__).resolve().parents[3] / "fixtures" / "k6"
VERSIONS = ("1.1.0", "1.8.1", "1.8.1-machine_readable")


@pytest.fixture
def captured() -> Path:
    """The folder with one directory per version."""
    return CAPTURED


@pytest.fixture(params=VERSIONS)
def attempt_directory(request, tmp_path: Path) -> Path:
    """A copy of a complete attempt, once per version."""
    return Path(shutil.copytree(CAPTURED / request.param, tmp_path / "attempt"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the attempt of k6 1.1.0, to damage it."""
    return Path(shutil.copytree(CAPTURED / "1.1.0", tmp_path / "attempt"))
