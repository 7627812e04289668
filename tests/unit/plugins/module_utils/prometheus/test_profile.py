# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics profiles: kube-burner's verbatim, ours, and what is wrong with others; the code and the schema agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import FIELDS, Entry, ProfileError, load_profile

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "files" / "schemas" / "metrics_profile.json").read_text(encoding="utf-8"))
MINIMAL = {"query": "up", "metricName": "targets"}


def fits_schema(profile):
    return Draft202012Validator(SCHEMA).is_valid(profile)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, {}, id="minimal"),
        pytest.param({"instant": True, "captureStart": True}, {"instant": True, "capture_start": True}, id="kube-burner's keys"),
        pytest.param({"severity": "x", "labels": {"a": 1}}, {}, id="unknown keys"),
        pytest.param({"instant": None, "unit": None}, {}, id="empty keys"),
        pytest.param({"field": "memory_bytes", "instance_label": "pod"}, {"field": "memory_bytes", "instance_label": "pod"}, id="field"),
        pytest.param({"instant": True, "field": "restarts", "optional": True}, {"instant": True, "field": "restarts", "optional": True}, id="optional"),
        pytest.param({"shape": "vector", "series_min": 0, "series_max": 3}, {"shape": "vector", "series_min": 0, "series_max": 3}, id="shape"),
    ],
)
def test_entries_are_read(more, expected):
    profile = [{**MINIMAL, **more}]
    assert load_profile(profile) == [Entry(query="up", metric="targets", **expected)]
    assert fits_schema(profile)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param("up", r"entry 1 is not a mapping", id="text"),
        pytest.param({"query": "up"}, r"entry 1 has no metricName", id="no name"),
        pytest.param({"metricName": "a"}, r"entry 1 \(a\) has no query", id="no query"),
        pytest.param({**MINIMAL, "instant": "yes"}, r"has instant 'yes'\. Write true or false", id="text for bool"),
        pytest.param({**MINIMAL, "series_max": "1"}, r"has series_max '1'\. Write a whole number", id="text for number"),
        pytest.param({**MINIMAL, "series_max": True}, r"has series_max True\. Write a whole number", id="bool for number"),
        pytest.param({**MINIMAL, "field": "cpu"}, r"has field 'cpu'\. Choose one of cpu_cores_mean, cpu_cores_peak", id="unknown field"),
        pytest.param({**MINIMAL, "field": "restarts"}, r"fills restarts, which needs instant: true", id="range for instant"),
        pytest.param({**MINIMAL, "instant": True, "field": "memory_bytes"}, r"fills memory_bytes, which needs instant: false", id="instant for range"),
        pytest.param({**MINIMAL, "fields": ["restarts"], "instant": True}, r"has fields, field_label or field that do not go together", id="no field_label"),
        pytest.param({**MINIMAL, "field_label": "figure"}, r"Write field, or fields and the field_label", id="no fields"),
        pytest.param({**MINIMAL, "fields": ["restarts"], "field_label": "x"}, r"fills restarts, which needs instant: true", id="range for instant fields"),
        pytest.param({**MINIMAL, "fields": []}, r"has fields \[\]\. Write a list of texts", id="empty fields"),
        pytest.param({**MINIMAL, "selector_labels": [1]}, r"has selector_labels \[1\]\. Write a list of texts", id="labels that are no text"),
        pytest.param({**MINIMAL, "shape": "square"}, r"has shape 'square'\. Choose one of scalar, vector, matrix", id="unknown shape"),
    ],
)
def test_bad_entries_are_named(entry, problem):
    with pytest.raises(ProfileError, match=problem):
        load_profile([entry])
    assert not fits_schema([entry])


def test_all_problems_are_named_at_once():
    with pytest.raises(ProfileError) as caught:
        load_profile([{"query": "up"}, {"metricName": "b"}, {**MINIMAL, "field": "memory_bytes"}, {**MINIMAL, "metricName": "c", "field": "memory_bytes"}])
    assert all(text in str(caught.value) for text in ("entry 1 has no metricName", "entry 2 (b) has no query", "given: memory_bytes is filled twice. Give"))


def test_profiles_of_kube_burner_may_name_a_metric_twice():
    profile = [MINIMAL, {**MINIMAL, "instant": True, "captureStart": True}, {**MINIMAL, "query": ""}]
    assert [(entry.metric, entry.instant, entry.query) for entry in load_profile(profile)] == [
        ("targets", False, "up"), ("targets", True, "up"), ("targets", False, ""),
    ]  # fmt: skip
    assert fits_schema(profile)


@pytest.mark.parametrize(
    ("more", "is_required"),
    [
        pytest.param({}, False, id="kube-burner's"),
        pytest.param({"optional": False}, True, id="required"),
        pytest.param({"field": "memory_bytes"}, True, id="figure of a component"),
        pytest.param({"field": "memory_bytes", "optional": True}, False, id="optional figure"),
    ],
)
def test_which_entries_are_required(more, is_required):
    (entry,) = load_profile([{**MINIMAL, **more}])
    assert entry.is_required == is_required


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_profiles_are_read_as_editors_save_them(tmp_path, encoding):
    path = tmp_path / "profile.yml"
    path.write_bytes("- query: up # ä\r\n  metricName: a\r\n".encode(encoding))
    assert load_profile(str(path)) == [Entry("up", "a")]


def test_profiles_that_include_each_other_are_named(tmp_path):
    for name, other in (("a.yml", "b.yml"), ("b.yml", "a.yml")):
        (tmp_path / name).write_text(f"- include: {other}\n")
    with pytest.raises(ProfileError, match=r"b\.yml: includes .*a\.yml, which includes it"):
        load_profile(str(tmp_path / "a.yml"))


@pytest.mark.parametrize("source", [[], {}, None, 5])
def test_a_profile_is_a_list(source):
    with pytest.raises(ProfileError, match="not a list of queries"):
        load_profile(source)
    assert not fits_schema(source)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "not readable", id="absent"),
        pytest.param(b"\xff\xfe\xfa", "not readable", id="binary"),
        pytest.param(b"- {", "not YAML", id="no YAML"),
        pytest.param(b"a: 1", "not a list", id="no list"),
    ],
)
def test_bad_files_are_named(tmp_path, content, problem):
    path = tmp_path / "profile.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProfileError, match=f"Metrics profile .*profile.yml: {problem}"):
        load_profile(str(path))


def test_the_schema_has_the_same_fields():
    known = SCHEMA["$defs"]
    assert known["field"]["enum"] == list(FIELDS)
    for kind, instant in (("instant", True), ("range", False)):
        assert known[kind]["enum"] == [name for name, field in FIELDS.items() if field.instant is instant]


def test_one_query_may_fill_several_fields():
    more = {"instant": True, "fields": ["restarts", "oom_kills"], "field_label": "figure", "parts_label": "container", "selector_labels": ["pod"]}
    (entry,) = load_profile([{**MINIMAL, **more}])
    assert [(one.metric, one.field, one.fields, one.by_component) for one in entry.by_field()] == [
        ("restarts", "restarts", (), True), ("oom_kills", "oom_kills", (), True),
    ]  # fmt: skip
    assert (entry.parts_label, entry.selector_labels, entry.field) == ("container", ("pod",), None)
    assert fits_schema([{**MINIMAL, **more}])


def test_a_profile_may_stand_on_another(tmp_path):
    (tmp_path / "base.yml").write_text("- {query: a, metricName: one}\n- {query: b, metricName: two}\n", encoding="utf-8")
    own = tmp_path / "own.yml"
    own.write_text("- include: base.yml\n- {query: c, metricName: three}\n- {query: d, metricName: one}\n- {query: e, metricName: one}\n", encoding="utf-8")
    assert [(entry.metric, entry.query) for entry in load_profile(str(own))] == [("one", "d"), ("one", "e"), ("two", "b"), ("three", "c")]


def test_a_profile_on_one_that_is_not_there_names_it(tmp_path):
    own = tmp_path / "own.yml"
    own.write_text("- include: base.yml\n", encoding="utf-8")
    with pytest.raises(ProfileError, match=r"Metrics profile .*base.yml: not readable"):
        load_profile(str(own))
