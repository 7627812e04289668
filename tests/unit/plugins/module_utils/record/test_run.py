# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.json: begin, resume, another plan, a second playbook, finish."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import write_failed
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.lock import LOCK_NAME, RunLockedError
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import PlanMismatchError

OBJECTIVES = [{"name": "requests succeed", "select": "total", "metric": "error_ratio", "max": 0.01, "severity": "error"}]


def test_begin_creates_the_run_and_points_latest_to_it(run, plan):
    begun = run.begin(plan, {"preset": "smoke"}, {})
    todo = [cell["id"] for cell in plan["cells"]]
    assert begun == {"resumed": False, "todo": todo, "done": [], "remaining_s": dict(zip(todo, (120.0, 80.0, 40.0, 0), strict=True))}
    assert (run.directory.parent / "latest").resolve() == run.directory
    assert run.load()["status"] == "incomplete"


def test_begin_keeps_a_directory_called_latest(run, plan):
    existing = run.directory.parent / "latest"
    existing.mkdir(parents=True)
    run.begin(plan, {}, {})
    assert existing.is_dir()
    assert not existing.is_symlink()


def test_resume_keeps_valid_cells_and_repeats_the_others(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    done, *todo = (cell["id"] for cell in plan["cells"])
    assert run.begin(plan, {}, {}) == {"resumed": True, "todo": todo, "done": [done], "remaining_s": dict(zip(todo, (80.0, 40.0, 0), strict=True))}


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


def test_a_second_playbook_on_the_same_run_fails(run, plan):
    run.begin(plan, {}, {})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        holder = {"pid": other.pid, "start_time": psutil.Process(other.pid).create_time()}
        (run.directory / LOCK_NAME).write_text(json.dumps(holder), encoding="utf-8")
        with pytest.raises(RunLockedError, match=f"pid {other.pid} is working on it"):
            run.begin(plan, {}, {})
        other.communicate(b"\n")
    assert run.begin(plan, {}, {})["resumed"]


def test_finish_names_what_is_missing_and_releases_the_lock(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    outcome = run.finish(OBJECTIVES, "Do a thing: it broke")
    assert outcome["counts"] == {"valid": 1, "invalid": 0, "failed": 1, "planned": 4, "missing": 2}
    assert [reason.split(":")[0] for reason in outcome["reasons"]] == ["Cell t1-c10-r1", "Run run-1", "Run run-1"]
    assert not outcome["ok"]
    assert run.load()["status"] == "incomplete"
    assert not (run.directory / LOCK_NAME).exists()


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
