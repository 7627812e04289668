# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the window comes from and what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window, find_window

LOGGED = {"start_ms": 1000, "end_ms": 3000, "users": {"training": 1}}


@pytest.mark.parametrize(
    ("start", "phase"),
    [
        pytest.param(999, "warmup", id="before"),
        pytest.param(1000, "window", id="at its start"),
        pytest.param(2999, "window", id="just inside"),
        pytest.param(3000, "tail", id="at its end"),
    ],
)
def test_phase_by_start(start, phase):
    assert Window(1000, 3000).phase(start) == phase


@pytest.mark.parametrize(
    ("explicit", "logged", "expected"),
    [
        pytest.param(None, [LOGGED, None], (1000, 3000), id="from the log"),
        pytest.param(None, [None, LOGGED], (1000, 3000), id="from the summary"),
        pytest.param(None, [{"perfscale": "window"}, LOGGED], (1000, 3000), id="an incomplete one is passed over"),
        pytest.param((5.0, 7.5), [LOGGED], (5000, 7500), id="the explicit one wins"),
    ],
)
def test_first_known_window(explicit, logged, expected):
    window = find_window(Path("d"), explicit, *logged)
    assert (window.start_ms, window.end_ms) == expected
    assert window.users == {"training": 1}


@pytest.mark.parametrize(
    ("explicit", "logged", "sentence"),
    [
        pytest.param(None, [None, {}], "missing in k6.log and in the setup_data", id="unknown"),
        pytest.param((7.0, 7.0), [], "not after its start", id="empty"),
    ],
)
def test_no_window(explicit, logged, sentence):
    with pytest.raises(K6ResultError, match=sentence):
        find_window(Path("d"), explicit, *logged)
