# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches in which nothing succeeds."""

from __future__ import annotations

import pytest
from raw_text import HEADER, request

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.outage import longest_outage_s
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import sorted_requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

START_MS = 1_800_000_000_000
WINDOW = Window(START_MS, START_MS + 10_000, {})


@pytest.mark.parametrize(
    ("requests", "seconds"),
    [
        pytest.param([(0, 200), (5, 200), (9, 200)], 0.0, id="none failed"),
        pytest.param([(0, 200), (1, 401), (3, 500), (4, 200), (6, 503), (8, 200)], 3.0, id="the longest of two"),
        pytest.param([(1, 200), (4, 401)], 6.0, id="to the end of the window"),
        pytest.param([(0, 401), (9, 401)], 10.0, id="the whole window"),
        pytest.param([(-5, 401), (2, 200), (9.5, 200), (11, 401)], 0.0, id="warm-up and tail do not count"),
        pytest.param([(-5, 401), (2, 401), (3, 200)], 1.0, id="begins inside"),
    ],
)
def test_the_longest_stretch(tmp_path, requests, seconds):
    rows = "".join(request(end_ms=START_MS + round(second * 1000) + 5, duration=5.0, status=status) for second, status in requests)
    (tmp_path / "raw.csv").write_text(HEADER + rows, encoding="utf-8")
    raw = read_raw(tmp_path / "raw.csv", 60_000)
    assert longest_outage_s(raw, sorted_requests(raw), WINDOW) == seconds
