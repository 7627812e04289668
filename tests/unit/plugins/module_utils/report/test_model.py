# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, build_model, group_labels
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import count, flat, number, percent, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import (
    category_goodput,
    component_frame,
    goodput_text,
    outcomes_text,
    shown_latency,
    why_empty,
)
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import write_run

GROUPS = [
    pytest.param([{"db_backend": "sqlite"}, {"db_backend": "sqlite"}], ["", ""], id="alike"),
    pytest.param([{"db_backend": "sqlite"}, {"db_backend": "postgres"}], ["sqlite", "postgres"], id="backend"),
    pytest.param([{"workers": 1, "profile": "closed"}, {"workers": 4, "profile": "open"}], ["workers=1", "workers=4"], id="profile is an axis"),
    pytest.param([{"db_backend": "sqlite"}, {}], ["sqlite", "db_backend unknown"], id="unknown"),
    pytest.param([{"db_backend": "a", "zoo": 1}, {"db_backend": "b", "zoo": 2}], ["a, zoo=1", "b, zoo=2"], id="known factors first"),
    pytest.param([{"data_set_digest": "x"}, {"data_set_digest": "y"}], ["", ""], id="the data set is no factor"),
]


@pytest.mark.parametrize(("factors", "labels"), GROUPS)
def test_group_labels(factors, labels):
    assert group_labels(factors) == labels


NUMBERS = [
    (None, "–"), (math.nan, "–"), (0, "0"), (0.4821, "0.482"), (0.00042, "0.0004"), (7.123, "7.12"), (86.25, "86.2"), (999.6, "1\u202f000"),
    (1240, "1\u202f240"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_number(value, text):
    assert number(value) == text


def test_texts():
    assert [count(value) for value in (None, math.nan, 0, 12345)] == ["–", "–", "0", "12\u202f345"]
    assert percent(0) == "0 %"
    assert time_text(None) == "–"
    assert time_text(1795475000) == "2026-11-23 23:03:20 UTC"
    assert flat({"a": {"b": 1, "c": [1, 2]}, "d": {}, "e": None}) == [("a.b", "1"), ("a.c", "1, 2"), ("d", "{}"), ("e", "–")]


def test_levels_and_loads(tmp_path):
    model = build_model(read_sources([write_run(tmp_path / "run", tenants=(10, 1), concurrency=(10, 5), rates=(2.5,))]))
    assert model.tenants == [1, 10]
    assert [load.text for load in model.loads] == ["5 users", "10 users", "2.5 journeys/s"]
    assert Load("closed", 1.0).text == "1 user"


def test_unknown_is_nan_never_zero(tmp_path):
    model = build_model(read_sources([write_run(tmp_path / "run", verdicts={"t1-c5-r1": "failed"})]))
    failed = model.cells.set_index("cell_id").loc["t1-c5-r1"]
    assert failed[["n", "failed", "goodput_per_s", "p95", "error_ratio"]].isna().all()
    assert model.operations.query("cell_id == 't1-c5-r1'")["n"].isna().all()


def test_shown_latency_covers_all_outcomes_where_known(tmp_path):
    model = build_model(read_sources([write_run(tmp_path / "run"), write_legacy_folder(tmp_path / "old")]))
    model.operations.loc[model.operations["run_id"] == "run", ["p95", "ok_p95"]] = [60000.0, 9.0]
    shown = shown_latency(model).set_index("run_id")["shown"]
    assert set(shown["run"]) == {60000.0}
    assert set(shown["old"]) == {101.0, 110.0, 201.0, 210.0}
    assert "legacy suite" in outcomes_text(model)
    assert goodput_text(model).count("Successful") == 2


def test_category_rates_add_up(tmp_path):
    model = build_model(read_sources([write_run(tmp_path / "run", verdicts={"t1-c5-r1": "failed"})]))
    total = sum(category_goodput(model, name).set_index("cell_id")["goodput_per_s"] for name in ("read", "search", "write"))
    assert total["t10-c10-r1"] == pytest.approx(model.cells.set_index("cell_id").loc["t10-c10-r1", "goodput_per_s"])
    assert math.isnan(total["t1-c5-r1"])


def test_a_component_that_a_cell_never_had_is_not_missing_there(tmp_path):
    sources = [write_run(tmp_path / "a"), write_run(tmp_path / "b", backend="postgres", verdicts={"t1-c5-r1": "failed"})]
    model = build_model(read_sources(sources))
    frame = component_frame(model, "postgresql")
    measured = frame[frame["cpu_cores_mean"].notna()]
    assert set(measured["group"]) == {"postgres"}
    assert not ((frame["run_id"] == "a") & frame["n"].notna()).any()
    assert len(component_frame(model, "mlflow")) == 8


@pytest.mark.parametrize(("metrics", "text"), [("not_requested", "not requested"), ("missing", "missing"), ("ok", "missing")])
def test_why_a_component_is_empty(tmp_path, metrics, text):
    model = build_model(read_sources([write_run(tmp_path / "run", metrics=metrics)]))
    assert why_empty(component_frame(model, "prometheus")).startswith(text)
    assert why_empty(component_frame(model, "prometheus").assign(status=None)) == "not recorded in these cells"
