# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input of a comparison: each says what it is. And what sides have in common."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import compare
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.sides import ComparisonError, read_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.record import latest
from fakes.legacy_folder import write_legacy_folder
from fakes.run_factory import edit_record


@pytest.fixture(name="compared")
def fixture_compared(tmp_path, schemas, settings):
    """Compare two sides, and return comparison.json."""

    def run(baseline, candidate, **given):
        sides = [[side] if isinstance(side, str) else side for side in (baseline, candidate)]
        return compare(*sides, tmp_path, schemas, settings(**given))

    return run


def change_specs(tmp_path, name, **changes):
    """Change what the cells of a run, and its plan, were to do."""
    document = read_sealed(tmp_path / name / "run.json")
    for cell in document["plan"]["cells"]:
        cell.update(changes)
        path = tmp_path / name / "cells" / cell["id"] / "cell.json"
        edit_record(path, spec={**read_sealed(path)["spec"], **changes})
    edit_record(tmp_path / name / "run.json", plan=document["plan"])


def change_fingerprint(tmp_path, name, **changes):
    path = tmp_path / name / "run.json"
    edit_record(path, fingerprint={**read_sealed(path)["fingerprint"], **changes})


def change_start(tmp_path, name, rows=30, **changes):
    baseline = {
        "name": "t1",
        "tenants": 1,
        "data_set_digest": "data",
        "prefix": "tenant-",
        "mlflow_version": "3.17.2",
        "schema_revision": "0",
        "database_kind": "sqlite",
        "rows": {"runs": rows},
    }
    for path in sorted((tmp_path / name / "cells").glob("*/cell.json")):
        edit_record(path, start_state={"state_reset": "cell", "status": "restored", "reason": None, "baseline": baseline, **changes})


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        pytest.param([], "Side candidate: no run is given. Set comparison_candidate to a run directory", id="side missing"),
        pytest.param(["absent"], "Side candidate: run absent is not there", id="run missing"),
        pytest.param(["latest"], "Side candidate: run latest is not there", id="no latest run"),
        pytest.param(["one"], "Comparison: run one is on both sides, so it would be compared with itself.", id="itself"),
        pytest.param(["invalid"], "Side candidate: no valid cell in invalid. Cell t1-c5-r1 of run invalid: invalid. It is left out.", id="no valid cell"),
        pytest.param(["elsewhere"], "Comparison: no cell is in both sides. The baseline has t1-c5, the candidate t1-c50. Give runs", id="disjoint"),
        pytest.param(["open"], "Comparison: the load of the baseline is in virtual users, that of the candidate in journeys started per second,", id="units"),
        pytest.param(["legacy"], "Side candidate: legacy has results of the legacy suite, which have other units", id="legacy suite"),
        pytest.param(["mixed-1", "mixed-2"], "Factor workers: the baseline has 1 and the candidate 2, 3. Give runs with one value", id="mixed side"),
        pytest.param(["broken"], "Side candidate: no valid cell in broken.", id="broken run"),
    ],
)
def test_bad_input_is_a_sentence(tmp_path, write, compared, candidate, sentence):
    write("one")
    write("invalid", repeats=1, verdicts={"t1-c5-r1": "invalid"})
    write("elsewhere", concurrency=(50,))
    write("open", concurrency=(), rates=(2,))
    write_legacy_folder(tmp_path / "legacy")
    write("mixed-1", factors={"workers": 2})
    write("mixed-2", factors={"workers": 3})
    (tmp_path / write("broken") / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ComparisonError) as raised:
        compared("one", candidate)
    assert sentence in str(raised.value)


def test_a_tolerance_that_is_no_share_is_a_sentence(write, compared):
    with pytest.raises(ValueError, match="Input comparison_tolerance: 5 is not allowed"):
        compared(write("one"), write("two"), tolerance=5)


def test_latest_and_directories_name_runs_too(tmp_path, write, compared):
    write("one")
    latest.point(tmp_path, write("two"))
    assert compared(str(tmp_path / "one"), "latest")["candidate"]["runs"] == ["two"]


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        pytest.param(lambda path: change_specs(path, "two", duration_s=30.0), ["load.duration_s"], id="window"),
        pytest.param(lambda path: change_specs(path, "two", load={"users_max": 10}), ["load.users_max"], id="load"),
        pytest.param(lambda path: change_fingerprint(path, "two", script_digest="other"), ["script_digest"], id="script"),
        pytest.param(lambda path: change_fingerprint(path, "two", data_set_digest="other"), ["data_set_digest"], id="data set"),
        pytest.param(lambda path: change_start(path, "two", state_reset="never"), ["start_state.state_reset"], id="reset"),
        pytest.param(lambda path: change_start(path, "two", status="never"), ["start_state.status"], id="state not restored"),
        pytest.param(lambda path: change_start(path, "two", rows=31), ["start_state.rows.runs"], id="rows"),
        pytest.param(lambda path: edit_record(path / "two" / "run.json", schema_version=1), ["schema_version"], id="version of the records"),
    ],
)
def test_sides_that_were_not_measured_alike_are_rejected_unless_accepted(tmp_path, write, compared, change, keys):
    for name in ("one", "two"):
        write(name)
        change_fingerprint(tmp_path, name, script_digest="script", data_set_digest="data")
        change_start(tmp_path, name)
    change(tmp_path)
    with pytest.raises(ComparisonError) as raised:
        compared("one", "two")
    assert f"or set comparison_accept to exactly {','.join(keys)}." in str(raised.value)
    assert [row["key"] for row in compared("one", "two", accept=keys)["accepted"]] == keys


def test_a_key_that_does_not_differ_cannot_be_accepted(write, compared):
    with pytest.raises(ComparisonError, match=r"Input comparison_accept: script_digest does not differ between the sides. Leave it out."):
        compared(write("one"), write("two"), accept=["script_digest"])


def test_runs_of_one_side_that_were_not_measured_alike_are_rejected(tmp_path, write, compared):
    for name in ("one", "two", "three"):
        write(name)
        change_fingerprint(tmp_path, name, script_digest="other" if name == "three" else "script")
    with pytest.raises(ComparisonError, match="script_digest is script in the baseline and script, other in the candidate"):
        compared("one", ["two", "three"])


def test_the_same_mixture_on_both_sides_is_rejected(tmp_path, write, compared):
    for name in ("one", "two", "three", "four"):
        write(name)
        change_fingerprint(tmp_path, name, script_digest="other" if name in ("two", "four") else "script")
    with pytest.raises(ComparisonError, match="script_digest is script, other in the baseline and script, other in the candidate"):
        compared(["one", "two"], ["three", "four"])


def test_the_compared_factor_is_found(write, compared):
    found = compared(write("one", factors={"mlflow_version": "3.14.0"}), write("two", factors={"mlflow_version": "3.17.2"}))
    assert found["compared"] == [{"key": "mlflow_version", "baseline": "3.14.0", "candidate": "3.17.2"}]


def test_several_differing_factors_are_all_named(write, compared):
    found = compared(write("one"), write("two", factors={"workers": 2, "replicas": 2}))
    assert [row["key"] for row in found["compared"]] == ["replicas", "workers"]
    assert any("no difference is due to one of them alone" in text for text in found["warnings"])


def test_a_named_factor_leaves_the_others_as_other_differences(write, compared):
    found = compared(write("one"), write("two", factors={"workers": 2, "replicas": 2}), factor="workers")
    assert [row["key"] for row in found["compared"]] == ["workers"]
    assert "replicas" in [row["key"] for row in found["others"]]


def test_a_named_factor_that_does_not_differ_is_a_sentence(write, compared):
    with pytest.raises(ComparisonError, match=r"Input comparison_factor: workers is the same on both sides, or unknown. These differ: nothing."):
        compared(write("one"), write("two"), factor="workers")


def test_every_other_difference_of_the_fingerprints_is_listed(tmp_path, write, compared):
    write("one")
    write("two")
    change_fingerprint(tmp_path, "two", kernel="6.2", packages={"numpy": "3"})
    found = compared("one", "two")
    assert found["compared"] == []
    assert found["others"] == [
        {"key": "kernel", "baseline": "6.1", "candidate": "6.2"},
        {"key": "packages.numpy", "baseline": "unknown", "candidate": "3"},
    ]


def test_a_version_of_the_operator_is_compared_by_its_fingerprint(tmp_path, write, compared):
    for name, version in (("one", "1.0"), ("two", "1.1")):
        write(name)
        change_fingerprint(tmp_path, name, mlflow_operator_version=version)
    assert [row["key"] for row in compared("one", "two")["compared"]] == ["mlflow_operator_version"]


def test_axes_of_both_matrices_match_by_their_values(write, compared):
    found = compared(write("one", tenants=(1, 10)), write("two", tenants=(10, 100)))
    assert found["points"] == ["t10-c5"]
    assert "Point t1-c5: only the baseline has it, so it is left out." in found["warnings"]


def test_unequal_repeats_are_named(write, compared):
    found = compared(write("one", repeats=3), write("two", repeats=5))
    assert any(text.startswith("Repeats are unequal (baseline and candidate of t1-c5 3 and 5)") for text in found["warnings"])


def test_several_runs_of_a_side_are_repeats(write, compared):
    found = compared([write("one", repeats=2), write("two", repeats=2)], [write("three", repeats=4)])
    assert {len(row["baseline"]["values"]) for row in found["rows"] if row["family"] == "total"} == {4}


def test_a_broken_cell_and_a_disturbed_one_are_left_out(tmp_path, write, schemas):
    cells = tmp_path / write("one") / "cells"
    (cells / "t1-c5-r1" / "cell.json").write_text("{}", encoding="utf-8")
    edit_record(cells / "t1-c5-r2" / "cell.json", notes={"disturbances": ["A pod restarted."]})
    run, left_out = read_run(tmp_path / "one", schemas)
    assert [record["id"] for record in run.records] == ["t1-c5-r3", "t1-c5-r4", "t1-c5-r5"]
    assert "Cell t1-c5-r2 of run one: disturbed. It is left out." in left_out


@pytest.mark.parametrize(
    ("given", "is_good"),
    [
        pytest.param({}, True, id="valid"),
        pytest.param({"verdicts": {"t1-c5-r1": "invalid"}}, False, id="invalid cell"),
        pytest.param({"verdicts": {"t1-c5-r1": "missing"}}, False, id="incomplete"),
        pytest.param({"errors": 1.0}, False, id="missed objective"),
    ],
)
def test_a_good_run_is_complete_valid_and_meets_its_objectives(tmp_path, write, schemas, given, is_good):
    run, _left_out = read_run(tmp_path / write("one", **given), schemas)
    assert run.is_good is is_good
