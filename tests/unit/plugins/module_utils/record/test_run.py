# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.json: begin, resume, another plan, a second playbook, finish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import write_failed
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import (
    LOCK_NAME,
    PlanMismatchError,
    RunLockedError,
    controller_fingerprint,
    package_versions,
    script_digest,
    summarize,
)
from fakes.run_factory import edit_record
from fakes.waiting import wait_until

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"
MISSED = {"name": "x", "cell": "t1-c0-r1", "metric": "p95_ms", "value": 1.0, "limit": "at most 0", "status": "missed", "severity": "error"}
OBJECTIVES = [{"name": "requests succeed", "select": "total", "metric": "error_ratio", "max": 0.01, "severity": "error"}]


def test_begin_creates_the_run_and_points_latest_to_it(run, plan):
    begun = run.begin(plan, {"preset": "smoke"}, {})
    todo = [cell["id"] for cell in plan["cells"]]
    assert begun == {"resumed": False, "todo": todo, "done": [], "remaining_s": dict(zip(todo, (120.0, 80.0, 40.0, 0), strict=True)), "warnings": []}
    assert (run.directory.parent / "latest").resolve() == run.directory
    assert run.load()["status"] == "incomplete"


def test_begin_keeps_a_directory_called_latest_and_says_so(run, plan):
    existing = run.directory.parent / "latest"
    (existing / "mine").mkdir(parents=True)
    assert [warning.split(":")[0] for warning in run.begin(plan, {}, {})["warnings"]] == [f"File {existing}"]
    assert (existing / "mine").is_dir()


def test_resume_skips_valid_cells_and_repeats_the_others(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    done, *todo = (cell["id"] for cell in plan["cells"])
    remaining = dict(zip(todo, (80.0, 40.0, 0), strict=True))
    assert run.begin(plan, {}, {}) == {"resumed": True, "todo": todo, "done": [done], "remaining_s": remaining, "warnings": []}


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "record"])
def test_resume_repeats_a_cell_whose_files_are_damaged(run, plan, measure, damage):
    run.begin(plan, {}, {})
    directory = run.cell_directory(measure(0)["id"])
    samples = directory / "samples.csv.gz"
    if damage == "flip":
        samples.write_text("sampleS 1", encoding="utf-8")
    elif damage == "truncate":
        samples.write_text("sam", encoding="utf-8")
    elif damage == "remove":
        samples.unlink()
    else:
        (directory / "cell.json").write_text("{", encoding="utf-8")
    assert plan["cells"][0]["id"] in run.begin(plan, {}, {})["todo"]


def test_another_plan_under_the_same_run_id_fails_with_the_differences(run, plan):
    run.begin(plan, {}, {})
    other = expand({"schema_version": 1, "name": "smoke", "axes": {"tenants": [1], "concurrency": [5]}, "duration": "35s", "warmup": "5s"})
    with pytest.raises(PlanMismatchError, match=r"was planned differently \(concurrency: \[5, 10\] -> \[5\]; tenants: \[1, 5\] -> \[1\]\)"):
        run.begin(other, {}, {})


def test_a_second_playbook_on_the_same_run_fails(run, plan, monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with monkeypatch.context() as patch:
            patch.setattr(handles, "controller", lambda: {"pid": other.pid, "start_time": handles.start_time(other.pid)})
            run.begin(plan, {}, {})
        before = run.path.read_bytes()
        with pytest.raises(RunLockedError, match=rf"Run run-1: ansible-playbook with pid {other.pid} on .* is working on it"):
            run.begin(plan, {}, {})
        assert run.path.read_bytes() == before
        other.communicate(b"\n")
    wait_until(lambda: not is_locked(run), "the lock of the run")
    assert run.begin(plan, {}, {})["resumed"]


def test_a_rejected_run_is_not_locked(run, plan):
    run.begin(plan, {}, {})
    run.finish([])
    with pytest.raises(PlanMismatchError):
        run.begin({**plan, "digest": "0" * 12}, {}, {})
    assert not is_locked(run)


def is_locked(run):
    """Whether anybody holds the lock of the run."""
    try:
        return lock.check(run.directory / LOCK_NAME)
    except lock.LockedError:
        return True


def test_finish_names_what_is_missing_and_releases_the_lock(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    outcome = run.finish(OBJECTIVES, "Do a thing: it broke")
    assert outcome["counts"] == {"valid": 1, "invalid": 0, "failed": 1, "planned": 4, "missing": 2, "damaged": 0}
    assert [reason.split(":")[0] for reason in outcome["reasons"]] == ["Cell t1-c10-r1", "Run run-1", "Run run-1"]
    assert not outcome["ok"]
    assert run.load()["status"] == "incomplete"
    assert not is_locked(run)


def test_finish_is_ok_only_if_every_cell_is_valid_and_every_objective_holds(run, plan, measure, parts):
    run.begin(plan, {}, {})
    for index in range(3):
        measure(index)
    total = {**parts["result"]["total"], "ok": 19, "failed": 1}
    measure(3, result={**parts["result"], "total": total})
    outcome = run.finish(OBJECTIVES)
    assert outcome["reasons"] == ["Objective requests succeed: missed in cell t5-c10-r1 (total.error_ratio 0.05, limit <= 0.01)."]
    assert run.finish([])["ok"]
    assert run.load()["status"] == "complete"


def judged(run):
    """Return cell and status of every result of an objective in run.json."""
    return [(result["cell"], result["status"]) for result in run.load()["objectives"]]


def test_objectives_are_known_while_the_run_goes_on(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0, objectives=OBJECTIVES)
    measure(1, objectives=OBJECTIVES)
    assert judged(run) == [("t1-c5-r1", "met"), ("t1-c10-r1", "met")]


def test_a_cell_that_is_measured_again_is_judged_once(run, plan, measure, parts):
    run.begin(plan, {}, {})
    measure(0, objectives=OBJECTIVES)
    measure(0, n=2, objectives=OBJECTIVES, result={**parts["result"], "total": {**parts["result"]["total"], "ok": 19, "failed": 1}})
    assert judged(run) == [("t1-c5-r1", "missed")]


def test_a_resumed_run_keeps_the_judgement_of_the_cells_that_stay(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0, objectives=OBJECTIVES)
    run.cell_directory(measure(1, objectives=OBJECTIVES)["id"]).joinpath("cell.json").unlink()
    run.begin(plan, {}, {})
    assert judged(run) == [("t1-c5-r1", "met")]


def test_an_objective_without_its_number_costs_no_measurement(run, plan, measure):
    run.begin(plan, {}, {})
    record = measure(0, objectives=[{"name": "o", "select": "total", "metric": "p42_ms", "max": 1}])
    assert record["verdict"]["status"] == "valid"
    assert judged(run) == []


def test_the_digest_covers_every_script_and_its_name(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.js").write_text("1", encoding="utf-8")
    before = script_digest(tmp_path)
    (tmp_path / "notes.md").write_text("no script", encoding="utf-8")
    assert script_digest(tmp_path) == before
    (tmp_path / "lib" / "a.js").rename(tmp_path / "lib" / "b.js")
    renamed = script_digest(tmp_path)
    (tmp_path / "lib" / "b.js").write_text("2", encoding="utf-8")
    assert len({before, renamed, script_digest(tmp_path)}) == 3


def test_a_package_that_is_not_there_has_no_version():
    versions = package_versions(("pandas", "no-such-package-anywhere"))
    assert versions["pandas"].startswith("3.")
    assert versions["no-such-package-anywhere"] is None


def test_the_whole_has_three_parts(tmp_path):
    assert set(controller_fingerprint(tmp_path)) == {"script_digest", "controller_python", "packages"}


def numbers(n=100, failed=0, goodput=10.0, p95=100.0):
    latency = {"mean": 50.0, "p50": 50.0, "p90": 60.0, "p95": p95, "p99": None, "max": 200.0}
    return {"n": n, "ok": n - failed, "failed": failed, "goodput_per_s": goodput, "latency_ms": latency}


def test_the_numbers_are_those_of_the_best_valid_cell(recorded):
    cells = [("valid", numbers(goodput=10.0, p95=90.0)), ("valid", numbers(goodput=30.0, p95=150.0, failed=1)), ("invalid", numbers(goodput=99.0, failed=50))]
    cells += [("valid", numbers(goodput=20.0, failed=4)), ("failed", None)]
    assert summarize(recorded(*cells), SCHEMAS) == {
        "run_id": "run-1",
        "verdict": "failed",
        "cells_valid": 3,
        "cells_planned": 5,
        "goodput_per_s_max": 30.0,
        "p95_ms_at_max": 150.0,
        "error_ratio_max": 0.04,
        "gaps": [],
        "warnings": [],
    }


def test_a_disturbed_cell_is_not_the_best(recorded):
    directory = recorded(("valid", numbers(goodput=10.0, p95=90.0)), ("valid", numbers(goodput=30.0, failed=1)))
    edit_record(directory / "cells" / "t1-c1-r1" / "cell.json", notes={"disturbances": ["Node n1 not ready until then"]})
    found = summarize(directory, SCHEMAS)
    assert (found["goodput_per_s_max"], found["p95_ms_at_max"], found["error_ratio_max"]) == (10.0, 90.0, 0.01)


@pytest.mark.parametrize(
    ("statuses", "arguments", "expected"),
    [
        pytest.param(["valid", "valid"], {}, "valid", id="valid"),
        pytest.param(["valid", "invalid"], {}, "invalid", id="invalid"),
        pytest.param(["invalid", "failed"], {}, "failed", id="failed"),
        pytest.param(["valid", "failed"], {"planned": 3, "status": "incomplete"}, "incomplete", id="incomplete"),
        pytest.param(["valid"], {"status": "incomplete"}, "incomplete", id="not closed"),
        pytest.param(["valid"], {"objectives": [MISSED]}, "invalid", id="an objective missed"),
    ],
)
def test_one_word_for_the_verdict(recorded, statuses, arguments, expected):
    assert summarize(recorded(*[(status, numbers()) for status in statuses], **arguments), SCHEMAS)["verdict"] == expected


def test_without_a_valid_cell_there_are_no_numbers(recorded):
    found = summarize(recorded(("failed", None)), SCHEMAS)
    assert [found[key] for key in ("goodput_per_s_max", "p95_ms_at_max", "error_ratio_max")] == [None, None, None]


def test_what_was_not_seen_is_none(recorded):
    found = summarize(recorded(("valid", numbers(n=0, goodput=0.0, p95=None))), SCHEMAS)
    assert (found["goodput_per_s_max"], found["p95_ms_at_max"], found["error_ratio_max"]) == (0.0, None, None)


def test_a_run_without_a_record_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"run\.json: cannot be read"):
        summarize(tmp_path, SCHEMAS)
