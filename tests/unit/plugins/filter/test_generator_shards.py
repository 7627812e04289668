# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many generators share the loads of a plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.generator_shards import FilterModule
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand

generator_shards = FilterModule().filters()["generator_shards"]
MATRIX = yaml.safe_load((Path(__file__).resolve().parents[4] / "files" / "matrices" / "calibration.yml").read_text(encoding="utf-8"))
PLAN = expand(MATRIX, {"concurrency": [20, 40]})
RECORD = {
    "id": "t1-c10-r1", "window": {"start": 0.0, "end": 10.0}, "spec": {"concurrency": 10}, "total": {"n": 1000},
    "generator": {"cpu_cores_mean": 0.5}, "journeys": {"browsing": {"started": 20}},
}  # fmt: skip


@pytest.mark.parametrize("shards", [4, "4"])
def test_a_number_that_divides_every_cell_stays(shards):
    assert generator_shards(PLAN, shards) == 4


def test_auto_counts_from_a_calibration():
    # 40 users x 10 requests/s x 5 ms = 2 cores, of which one generator may use 0.7.
    assert generator_shards(PLAN, "auto", calibration=RECORD, nodes=[{"cpu_cores": 8, "memory_bytes": 8e9}]) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"shards": 3}, "which 3 does not divide", id="not divisible"),
        pytest.param({"shards": "many"}, "Shards many: neither a whole number from 1 nor auto. Set k6_runner_shards", id="text"),
        pytest.param({"shards": 0}, "Shards 0: neither a whole number from 1", id="zero"),
        pytest.param({"shards": "auto"}, "Shards auto: no calibration. Measure the matrix calibration", id="no calibration"),
        pytest.param({"shards": "auto", "calibration": RECORD}, "the nodes have room for 0", id="no nodes"),
    ],
)
def test_an_error_is_one_sentence(arguments, sentence):
    with pytest.raises(AnsibleFilterError, match=sentence):
        generator_shards(PLAN, **arguments)
