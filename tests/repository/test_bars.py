# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection stays simple: the limits that bars.py measures hold, and the files that it excludes from the path of a cell exist."""

from __future__ import annotations

import pytest
from bars import SITUATIONS, Bar, bars

from checkout import files


@pytest.mark.parametrize("bar", [pytest.param(bar, id=bar.name.replace(" ", "-")) for bar in bars()])
def test_the_bar_is_held(bar: Bar) -> None:
    assert bar.is_held, f"{len(bar.found)} instead of at most {bar.limit}: {bar.found}"


@pytest.mark.parametrize("bar", [pytest.param(bar, id=bar.name.replace(" ", "-")) for bar in bars() if bar.limit])
def test_the_bar_measures_something(bar: Bar) -> None:
    assert bar.found


@pytest.mark.parametrize("condition", sorted(set.union(*SITUATIONS.values())))
def test_conditions_that_the_way_of_a_cell_leaves_out_exist(condition: str) -> None:
    assert [path for path in files("roles/*/tasks/*.yml") if f"- {condition}\n" in path.read_text(encoding="utf-8")]
