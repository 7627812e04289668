# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod's stand-in for the tests of this directory."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("kubernetes"))]

from pod_stand_in import PodStandIn

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_layout, pod_script

RAW = Path(__file__).resolve().parents[3] / "fixtures" / "k6" / "1.8.1" / "raw.csv"


@pytest.fixture(name="pod")
def fixture_pod(tmp_path, monkeypatch):
    """A pod that runs; the program in it has a name of its own, since others may run a k6 on this machine."""
    program = f"k6-{uuid.uuid4().hex[:8]}"
    stand_in = PodStandIn(tmp_path / "pod", program, RAW)
    monkeypatch.setattr(pod_layout, "PROGRAM", program)
    monkeypatch.setattr(pod_layout, "SCRIPTS", str(stand_in.directory / "scripts"))
    monkeypatch.setattr(pod_layout, "RESULTS", str(stand_in.directory / "results"))
    monkeypatch.setattr(pod_layout, "ACCESS", str(stand_in.directory / "access"))
    monkeypatch.setattr(pod_script, "SCRIPT", str(stand_in.directory / "scripts" / "pod" / "load.sh"))
    monkeypatch.setattr(pod_script, "run", stand_in.run)
    monkeypatch.setattr(pod_script, "PAUSE_S", 0.01)
    return stand_in
