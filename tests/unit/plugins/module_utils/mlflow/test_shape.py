# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import (
    DEFAULTS,
    check_shape,
    expected_counts,
    shape_digest,
)


def test_the_old_shape_is_the_default():
    assert expected_counts(check_shape({}), full=True) == {
        "experiments": 10,
        "runs": 30,
        "metrics": 90,
        "params": 150,
        "prompts": 30,
        "prompt_versions": 30,
        "artifacts": 60,
        "readable_artifacts": 1,
    }


def test_texts_become_numbers_and_blanks_the_default():
    assert check_shape({"runs_per_experiment": "5", "params_per_run": None}) == {**DEFAULTS, "runs_per_experiment": 5}


@pytest.mark.parametrize(
    ("given", "part"),
    [
        pytest.param({"runs": 1}, "Data set shape runs: is unknown", id="unknown"),
        pytest.param({"runs_per_experiment": -1}, "from 0 to", id="negative-runs"),
        pytest.param({"runs_per_experiment": True}, "is not possible", id="bool"),
        pytest.param({"prompts_per_experiment": "many"}, "'many': is not possible", id="text"),
        pytest.param({"prompts_per_experiment": -1}, "from 0 to", id="negative"),
        pytest.param({"params_per_run": 101}, "from 0 to 100", id="more-than-a-batch"),
    ],
)
def test_rejects_what_cannot_be(given, part):
    with pytest.raises(MlflowError, match=part):
        check_shape(given)


def test_the_data_set_may_be_empty():
    empty = check_shape({"experiments_per_tenant": "0", "runs_per_experiment": 5})
    assert empty == dict.fromkeys(DEFAULTS, 0)
    assert set(expected_counts(empty, full=True).values()) == {0}
    assert shape_digest(empty) == shape_digest(check_shape(dict.fromkeys(DEFAULTS, 0)))


def test_experiments_may_be_without_runs():
    counts = expected_counts(check_shape({"runs_per_experiment": 0}))
    assert (counts["experiments"], counts["runs"], counts["metrics"], counts["prompts"]) == (10, 0, 0, 30)


def test_no_artifacts_need_no_reading():
    counts = expected_counts(check_shape({"artifacts_per_run": 0}), full=True)
    assert counts["artifacts"] == counts["readable_artifacts"] == 0


def test_the_digest_identifies_the_shape_and_is_stable():
    shape = check_shape({})
    # The output of sha256sum for the canonical JSON; files/k6/lib/settings.js has to agree.
    assert shape_digest(shape) == "5f6a59d7ec68"
    assert shape_digest(dict(reversed(shape.items()))) == shape_digest(shape)
    assert shape_digest(check_shape({"runs_per_experiment": 4})) != shape_digest(shape)
