# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("1h30m", 5400, id="hours-and-minutes"),
        pytest.param("10m", 600, id="minutes"),
        pytest.param("90s", 90, id="seconds"),
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("1.5h", 5400, id="fraction"),
        pytest.param(20, 20, id="number"),
        pytest.param("20", 20, id="number-as-text"),
        pytest.param(" 5S ", 5, id="spaces-and-capitals"),
        pytest.param("1d", 86400, id="day"),
    ],
)
def test_parse_duration_returns_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["ten", "", "-5s", "5 s", "1h30", "s", True, None, "1e3"])
def test_parse_duration_fails_with_the_name(text):
    with pytest.raises(ValueError, match=r"window .*is not a duration\. Write seconds"):
        parse_duration(text, "window")


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (65, "1 min 5 s"), (3900, "1 h 5 min"), (0, "0 s")])
def test_format_duration(seconds, text):
    assert format_duration(seconds) == text
