# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a data set with its digest."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.data_set_shape import FilterModule

data_set_shape = FilterModule().filters()["data_set_shape"]


def test_a_shape_is_completed_and_has_a_digest():
    found = data_set_shape({"runs_per_experiment": "4"})
    assert found["shape"]["runs_per_experiment"] == 4
    assert found["shape"]["experiments_per_tenant"] == 10
    assert len(found["digest"]) == 12
    assert found["digest"] != data_set_shape({})["digest"]


def test_an_impossible_shape_fails():
    with pytest.raises(AnsibleFilterError, match="runs_per_experiment='x': is not possible"):
        data_set_shape({"runs_per_experiment": "x"})
