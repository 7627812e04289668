# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.data_set_shape import FilterModule as ShapeFilters
from ansible_collections.perfscale.mlflow.plugins.filter.seconds import FilterModule as SecondsFilters

data_set_shape = ShapeFilters().filters()["data_set_shape"]
seconds = SecondsFilters().filters()["seconds"]


def test_a_shape_is_filled_in_and_named():
    found = data_set_shape({"runs_per_experiment": "4"})
    assert found["shape"]["runs_per_experiment"] == 4
    assert found["shape"]["experiments_per_tenant"] == 10
    assert len(found["digest"]) == 12
    assert found["digest"] != data_set_shape({})["digest"]


def test_a_wrong_shape_is_refused():
    with pytest.raises(AnsibleFilterError, match="runs_per_experiment='x': is not possible"):
        data_set_shape({"runs_per_experiment": "x"})


@pytest.mark.parametrize(("text", "expected"), [("30m", 1800), ("1h30m", 5400), (90, 90), ("45", 45)])
def test_durations_become_seconds(text, expected):
    assert seconds(text) == expected


def test_what_is_no_duration_is_refused_by_its_name():
    with pytest.raises(AnsibleFilterError, match="MAX_DURATION 'ten': is not a duration"):
        seconds("ten", "MAX_DURATION")
