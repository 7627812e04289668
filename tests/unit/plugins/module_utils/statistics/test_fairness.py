# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.fairness import jain_index


@pytest.mark.parametrize(
    ("values", "index"),
    [
        pytest.param([3.0, 3.0, 3.0], 1.0, id="equal"),
        pytest.param([1.0, 0.0, 0.0, 0.0], 0.25, id="one has everything"),
        pytest.param([1.0, 2.0], 0.9, id="twice as much"),
        pytest.param([0.0, 0.0], None, id="none has anything"),
        pytest.param([], None, id="no values"),
    ],
)
def test_the_index(values, index):
    assert jain_index(values) == (None if index is None else pytest.approx(index))
