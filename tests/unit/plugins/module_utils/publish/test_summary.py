# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run, as a job stores it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.summary import of_run

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"
MISSED = {"name": "x", "cell": "c0", "metric": "p95_ms", "value": 1.0, "limit": "at most 0", "status": "missed", "severity": "error"}


def numbers(n=100, failed=0, goodput=10.0, p95=100.0):
    return {"n": n, "failed": failed, "goodput_per_s": goodput, "latency_ms": {"p95": p95}}


def test_the_best_valid_cell_gives_the_numbers(recorded):
    cells = [("valid", numbers(goodput=10.0, p95=90.0)), ("valid", numbers(goodput=30.0, p95=150.0, failed=1)), ("invalid", numbers(goodput=99.0, failed=50))]
    cells += [("valid", numbers(goodput=20.0, failed=4)), ("failed", None)]
    assert of_run(recorded(*cells), SCHEMAS) == {
        "run_id": "run-1",
        "verdict": "failed",
        "cells_valid": 3,
        "cells_planned": 5,
        "goodput_per_s_max": 30.0,
        "p95_ms_at_max": 150.0,
        "error_ratio_max": 0.04,
    }


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
    assert of_run(recorded(*[(status, numbers()) for status in statuses], **arguments), SCHEMAS)["verdict"] == expected


def test_without_a_valid_cell_there_are_no_numbers(recorded):
    found = of_run(recorded(("failed", None)), SCHEMAS)
    assert [found[key] for key in ("goodput_per_s_max", "p95_ms_at_max", "error_ratio_max")] == [None, None, None]


def test_what_was_not_seen_is_none(recorded):
    found = of_run(recorded(("valid", numbers(n=0, goodput=0.0, p95=None))), SCHEMAS)
    assert (found["goodput_per_s_max"], found["p95_ms_at_max"], found["error_ratio_max"]) == (0.0, None, None)


def test_a_run_without_a_record_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"run\.json: cannot be read"):
        of_run(tmp_path, SCHEMAS)
