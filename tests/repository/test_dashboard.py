# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Grafana dashboard is what its generator writes."""

from __future__ import annotations

import importlib.util

from checkout import ROOT


def test_the_dashboard_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate_dashboard", ROOT / "docs" / "generate_dashboard.py")
    assert spec
    assert spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.OUTPUT.read_text(encoding="utf-8") == generator.text(), "Run `make docs` and commit files/grafana."
