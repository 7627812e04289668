# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes of k6."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import is_complete, meaning


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(0, "by itself", id="0"),
        pytest.param(99, "threshold", id="99"),
        pytest.param(104, "configuration", id="104"),
        pytest.param(105, "stopped by a signal", id="105"),
        pytest.param(107, "exception", id="107"),
        pytest.param(108, "abort", id="108"),
        pytest.param(109, "panicked", id="109"),
        pytest.param(137, "killed", id="137"),
        pytest.param(-9, "killed", id="-9 is 137"),
        pytest.param(139, "signal 11", id="139"),
        pytest.param(255, "unknown exit code 255", id="255"),
    ],
)
def test_meaning(code, words):
    assert words in meaning(code)


@pytest.mark.parametrize("code", [0, 99, 110])
def test_a_load_that_ran_to_its_end_is_complete(code):
    assert is_complete(code)


@pytest.mark.parametrize("code", [None, 104, 105, 107, 108, 109, 137, -9])
def test_a_crash_and_a_running_load_are_not_complete(code):
    assert not is_complete(code)
