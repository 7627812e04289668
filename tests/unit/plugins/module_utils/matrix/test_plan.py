# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: order, ids, digest and estimate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import differences, expand, probe_cell, search_of, summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import DEFAULTS

MATRICES = Path(__file__).resolve().parents[5] / "files" / "matrices"
SMOKE = yaml.safe_load((MATRICES / "smoke.yml").read_text(encoding="utf-8"))


def ids(plan):
    return [cell["id"] for cell in plan["cells"]]


def test_smoke_has_four_cells_in_declared_order():
    assert ids(expand(SMOKE)) == ["t1-c5-r1", "t1-c10-r1", "t5-c5-r1", "t5-c10-r1"]


def test_seed_is_the_matrix_of_the_legacy_suite():
    plan = expand(yaml.safe_load((MATRICES / "seed.yml").read_text(encoding="utf-8")))
    assert len(plan["cells"]) == 16
    assert {cell["duration_s"] for cell in plan["cells"]} == {600}


def test_open_cells_have_a_rate_in_their_id():
    plan = expand(SMOKE, {"rate": "0.5,2", "tenants": 3})
    assert ids(plan) == ["t3-q0.5-r1", "t3-q2-r1"]
    assert plan["cells"][0]["concurrency"] is None


def test_restored_cells_come_in_blocks_over_all_levels():
    plan = expand(SMOKE, {"order": "shuffled", "state_reset": "cell", "tenants": "1,2,3", "concurrency": "1,2", "repeats": 2})
    points = {(tenants, users) for tenants in (1, 2, 3) for users in (1, 2)}
    assert [{(cell["tenants"], cell["concurrency"]) for cell in plan["cells"][start : start + 6]} for start in (0, 6)] == [points, points]
    assert sorted(levels := [cell["tenants"] for cell in plan["cells"][:6]]) != levels


@pytest.mark.parametrize(("state_reset", "levels"), [("cell", [5, 1]), ("level", [5, 1]), ("never", [1, 5])])
def test_levels_come_in_declared_order_where_they_are_restored(state_reset, levels):
    plan = expand(SMOKE, {"tenants": "5,1", "concurrency": 5, "state_reset": state_reset})
    assert [cell["tenants"] for cell in plan["cells"]] == levels


def test_tenants_ascend_in_every_order_where_nothing_is_restored():
    plan = expand(SMOKE, {"order": "shuffled", "tenants": "5,1", "concurrency": "1,2,3,4,5,6", "repeats": 2})
    assert [cell["tenants"] for cell in plan["cells"]] == [1] * 12 + [5] * 12


def test_the_seed_decides_the_shuffled_order():
    shuffled = {"order": "shuffled", "concurrency": "1,2,3,4,5,6,7,8"}
    first, again, other = (ids(expand(SMOKE, {**shuffled, "seed": seed})) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)


def test_each_repeat_visits_every_point_of_a_level_once():
    plan = expand(SMOKE, {"order": "shuffled", "tenants": 1, "concurrency": "1,2,3,4,5", "repeats": 3})
    blocks = [plan["cells"][start : start + 5] for start in (0, 5, 10)]
    assert [{(cell["repeat"], cell["concurrency"]) for cell in block} for block in blocks] == [
        {(repeat, users) for users in (1, 2, 3, 4, 5)} for repeat in (1, 2, 3)
    ]


def test_each_repeat_is_shuffled_by_itself():
    plan = expand(SMOKE, {"order": "shuffled", "tenants": 1, "concurrency": "1,2,3,4,5,6,7,8", "repeats": 2})
    users = [cell["concurrency"] for cell in plan["cells"]]
    assert users[:8] != users[8:]


def test_more_cells_than_can_be_measured_are_rejected_before_they_are_planned():
    with pytest.raises(MatrixError, match="Matrix smoke: 4000000 cells are too many, at most 10000 are allowed"):
        expand(SMOKE, {"repeats": 1_000_000})


@pytest.mark.parametrize("repeats", [0, -1, "0", "two", 1.5])
def test_repeats_are_whole_numbers_from_one_up(repeats):
    with pytest.raises(MatrixError, match=r"Setting repeats: .* is not allowed\. Give one whole number from 1 up\."):
        expand(SMOKE, {"repeats": repeats})


def test_the_preset_publish_ends_within_half_an_hour():
    plan = expand(yaml.safe_load((MATRICES / "publish.yml").read_text(encoding="utf-8")), context={"data_set": DEFAULTS})
    # Between two loads a cell needs at most 15 s here, the graceful stop included.
    assert plan["estimate"]["load_s"] + 15 * len(plan["cells"]) + 60 <= 1800


def test_the_preset_publish_repeats_every_point_three_times_in_shuffled_order():
    matrix = yaml.safe_load((MATRICES / "publish.yml").read_text(encoding="utf-8"))
    declared, shuffled = ids(expand(matrix, {"order": "declared"})), ids(expand(matrix))
    assert len(shuffled) == 12
    assert declared != shuffled
    assert sorted(declared) == sorted(shuffled)


def test_repeats_draw_differently():
    plan = expand(SMOKE, {"repeats": 2, "tenants": 1, "concurrency": 5})
    assert len({cell["seed"] for cell in plan["cells"]}) == 2


def test_the_digest_covers_settings_and_context():
    plain = expand(SMOKE)["digest"]
    assert expand(SMOKE)["digest"] == plain
    assert expand(SMOKE, {"duration": "21s"})["digest"] != plain
    assert expand(SMOKE, context={"data_set": {"runs_per_experiment": 4}})["digest"] != plain


def test_differences_name_the_keys():
    old, new = expand(SMOKE)["settings"], expand(SMOKE, {"duration": "50s"}, {"factors": {"workers": 2}})["settings"]
    assert differences(old, new) == ['context.factors: null -> {"workers": 2}', "duration_s: 35.0 -> 50.0"]


def test_the_estimate_counts_load_and_disk():
    estimate = expand(SMOKE)["estimate"]
    assert estimate["load_s"] == 160
    assert estimate["disk_bytes_max"] > 1e6


def test_a_plan_is_summarized_in_one_line():
    context = {"data_set": {**dict.fromkeys(("experiments_per_tenant", "runs_per_experiment", "metrics_per_run", "params_per_run"), 2)}}
    assert summary(expand(SMOKE, context=context)) == "Plan smoke: 4 cells, 2 min 40 s of load, about 1 s of prefill, at most 29 MB on disk."
    assert summary(expand(SMOKE, {"tenants": 1, "concurrency": 5})).startswith("Plan smoke: 1 cell, 40 s of load, about 0 s of prefill")


def test_a_long_plan_is_summarized_in_hours_and_gigabytes():
    plan = expand(yaml.safe_load((MATRICES / "seed.yml").read_text(encoding="utf-8")), context={"data_set": DEFAULTS})
    assert summary(plan) == "Plan seed: 16 cells, 2 h 48 min of load, about 26 min 40 s of prefill, at most 2.4 GB on disk."
    assert ", about 53 s of prefill, " in summary(plan, clones=True)


def noisy_plan(**overrides):
    return expand(yaml.safe_load((MATRICES / "noisy_neighbour.yml").read_text(encoding="utf-8")), {"repeats": 1, "order": "declared", **overrides})


def test_a_noisy_neighbour_adds_to_the_load_of_the_others():
    quiet, noisy = noisy_plan()["cells"]
    assert [quiet["id"], noisy["id"]] == ["t10-q1-popularity-uniform-r1", "t10-q1-popularity-noisy-r1"]
    assert (quiet["rate"], noisy["rate"]) == (1, 1.9)
    assert noisy["load"]["tenant_choice"] == {"distribution": "noisy", "factor": 10}


def test_both_cells_of_a_pair_summarize_the_noisy_tenant_apart():
    assert {cell["load"]["apart"] for cell in noisy_plan()["cells"]} == {1}


def test_a_noisy_closed_load_has_more_users():
    assert [cell["concurrency"] for cell in noisy_plan(profile="closed", concurrency=10)["cells"]] == [10, 19]


def test_popularity_is_part_of_the_id_only_where_the_plan_varies_it():
    assert ids(expand(SMOKE, {"tenants": 2, "concurrency": 5})) == ["t2-c5-r1"]


def test_a_search_appends_cells_of_its_axis():
    search = {"axis": "rate", "stop_when": {"after_s": 16}}
    plan = expand(SMOKE, {"rate": 1, "tenants": 3}, {"capacity": search})
    cell = probe_cell(plan, 2.5)
    assert (cell["id"], cell["index"], cell["seed"], cell["load"]["stop_when"]) == ("t3-q2.5-r1", 2, 1002, {"after_s": 16})
    assert probe_cell(plan, 1.0)["id"] == "t3-q1-r2"


@pytest.mark.parametrize(("axis", "overrides", "id_"), [("concurrency", {"concurrency": 5}, "t3-c8-r1"), ("tenants", {"rate": 2}, "t8-q2-r1")])
def test_a_search_varies_users_or_tenants(axis, overrides, id_):
    plan = expand(SMOKE, {"tenants": 3, **overrides}, {"capacity": {"axis": axis, "stop_when": None}})
    assert probe_cell(plan, 8.0)["id"] == id_


def test_only_the_plan_of_a_search_has_one():
    assert search_of(expand(SMOKE)) is None


SHAPE = {"experiments_per_tenant": 10, "runs_per_experiment": 3, "prompts_per_experiment": 3}


def volume(*, tenants, rows="", experiments="", state_reset="cell"):
    matrix = {"name": "volume", "axes": {"tenants": tenants, "concurrency": [5]}, "duration": "30s"}
    return expand(matrix, {"rows": rows, "experiments": experiments, "state_reset": state_reset}, {"data_set": SHAPE})


def test_tenants_share_the_rows_of_a_data_set():
    plan = volume(tenants=[1, 2, 10], rows="total")
    assert [(cell["id"], cell["data_set"]["experiments_per_tenant"]) for cell in plan["cells"]] == [("t1-c5-r1", 10), ("t2-c5-r1", 5), ("t10-c5-r1", 1)]
    assert {cell["data_set"]["runs_per_experiment"] for cell in plan["cells"]} == {3}


@pytest.mark.parametrize(("rows", "of_two"), [pytest.param("per_tenant", [10, 50], id="per tenant"), pytest.param("total", [5, 25], id="total")])
def test_the_number_of_experiments_is_an_axis(rows, of_two):
    cells = volume(tenants=[2], rows=rows, experiments="10,50")["cells"]
    assert [cell["id"] for cell in cells] == ["t2-c5-experiments-10-r1", "t2-c5-experiments-50-r1"]
    assert [cell["data_set"]["experiments_per_tenant"] for cell in cells] == of_two
    assert [cell["factors"] for cell in cells] == [{"experiments": 10}, {"experiments": 50}]


def test_one_data_set_is_not_named_in_the_cells():
    [cell] = volume(tenants=[2], rows="per_tenant")["cells"]
    assert not {"data_set", "factors"} & set(cell)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        pytest.param({"rows": "total", "tenants": [3]}, "10 experiments cannot be spread equally over 3 tenants. Give experiments as 12", id="remainder"),
        pytest.param({"rows": "total", "tenants": [20]}, "10 experiments cannot be spread equally over 20 tenants. Give experiments as 20", id="few"),
        pytest.param({"rows": "total", "tenants": [1, 2], "state_reset": "never"}, "Data set: the cells of this plan need several, and", id="kept"),
        pytest.param({"experiments": "1,2", "tenants": [1], "state_reset": "never"}, "Data set: the cells of this plan need several", id="axis-kept"),
        pytest.param({"rows": "each", "tenants": [1]}, "Rows each: is unknown. Allowed: per_tenant, total.", id="unknown"),
        pytest.param({"experiments": "0", "tenants": [1]}, "Axis experiments: '0' is not allowed.", id="none"),
    ],
)
def test_data_sets_that_cannot_be_made(more, sentence):
    with pytest.raises(MatrixError, match=re.escape(sentence)):
        volume(**more)


def test_the_rows_of_a_search_over_tenants_are_those_of_a_tenant():
    matrix = {"name": "capacity", "axes": {"tenants": [1], "concurrency": [5]}, "duration": "30s"}
    search = {"capacity": {"axis": "tenants", "stop_when": None}, "data_set": SHAPE}
    with pytest.raises(MatrixError, match="Rows total: not possible in a search over tenants"):
        expand(matrix, {"rows": "total", "state_reset": "cell"}, search)


def test_each_data_set_is_filled_for_itself():
    one, two = (volume(tenants=[2], experiments=experiments) for experiments in ("10", "10,20"))
    prefill = [float(re.search(r"about (\d+) s of prefill", summary(plan))[1]) for plan in (one, two)]
    assert prefill[1] == pytest.approx(3 * prefill[0], abs=2)
