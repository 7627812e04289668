# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a cell's files."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.filter.cell_file_names import FilterModule

cell_file_names = FilterModule().filters()["cell_file_names"]


@pytest.mark.parametrize(
    ("profile", "concurrency", "rate", "pressure"),
    [
        pytest.param("closed", 5, None, "concurrency_5", id="closed"),
        pytest.param("open", None, 0.5, "rate_0.5", id="open"),
        pytest.param("open", None, 2.0, "rate_2.0", id="whole-rate"),
    ],
)
def test_the_names_carry_tenants_and_pressure(profile, concurrency, rate, pressure):
    cell = {"tenants": 10, "profile": profile, "concurrency": concurrency, "rate": rate}
    assert cell_file_names(cell) == {"summary": f"summary_tenants-10_{pressure}.json", "metrics": f"metrics_10_{pressure}.csv"}
