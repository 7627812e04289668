# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of the library pass in every supported k6."""

from __future__ import annotations

from pathlib import Path

from programs.k6 import run_k6


def test_every_check_passes(k6, tmp_path):
    ended = run_k6(k6, Path(__file__).with_name("lib.test.js"), tmp_path)
    assert "FAILED" not in ended.log
    assert ended.code == 0, ended.log
