# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run on a machine whose network is gone: what is in the cache is all that it needs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from programs.without_network import is_possible, without_network

from .conftest import ONE_CELL
from .suite import Suite

pytestmark = pytest.mark.skipif(not is_possible(), reason="this machine lets its user make no network namespace")
# An address that is reserved for documentation.
OUTSIDE = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"


class OfflineSuite(Suite):
    """A suite each of whose playbooks has loopback and nothing else."""

    def command(self, playbook: str, variables: dict[str, Any] | None = None, *options: str) -> list[str]:
        return without_network(super().command(playbook, variables, *options))


@pytest.fixture(name="suite")
def fixture_suite(tmp_path):
    suite = OfflineSuite(tmp_path)
    yield suite
    suite.play("teardown")


def test_nothing_outside_is_reachable():
    reached = subprocess.run(without_network([sys.executable, "-c", OUTSIDE]), capture_output=True, text=True, check=False)
    assert "Network is unreachable" in reached.stderr


def test_a_run_needs_no_network(suite):
    finished = suite.play("full_suite", {**ONE_CELL, "run_id": "offline"})
    assert finished.returncode == 0
    cell = suite.cell("t1-c10-r1", "offline")
    assert cell["verdict"]["status"] == "valid"
    assert cell["total"]["n"] > cell["total"]["failed"] == 0
    assert cell["resources"]["mlflow"]["status"] == "ok"
    assert (suite.results / "offline" / "report" / "index.html").exists()
