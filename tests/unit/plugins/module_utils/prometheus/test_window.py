# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows: every way to write a time, and windows that cannot be measured."""

from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.window import Window, WindowError, parse_time, parse_window, remaining_wait


@pytest.fixture(autouse=True)
def fixture_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Prague")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    ["1795457496", 1795457496, 1795457496.0, "2026-11-23T18:11:36Z", "2026-11-23 18:11:36+00:00", "2026-11-23T19:11:36", "2026-11-23 19:11:36"],
)
def test_a_time_is_written_in_many_ways(text):
    assert parse_time(text, "start") == 1795457496.0


@pytest.mark.parametrize("text", ["", "now", "yesterday", "2026-13-01", "nan", "inf", "-5", "0", True, None, "18:11:36"])
def test_other_texts_are_no_time(text):
    with pytest.raises(WindowError, match=r"Window start .*: not a time"):
        parse_time(text, "start")


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        pytest.param(200, 100, "ends before it starts", id="reversed"),
        pytest.param(100, 100, "or is empty", id="empty"),
        pytest.param(100, 1060, "ends 60 s in the future", id="future"),
    ],
)
def test_windows_that_cannot_be_measured(start, end, problem):
    with pytest.raises(WindowError, match=problem):
        parse_window(start, end, now=1000)


def test_a_window_that_ended_just_now_is_over():
    window = parse_window(100, "1000.4", now=1000)
    assert window == Window(100, 1000.4)
    assert window.seconds == pytest.approx(900.4)


@pytest.mark.parametrize(("now", "wait"), [pytest.param(100, 30, id="at its end"), pytest.param(120, 10, id="later"), pytest.param(200, 0, id="long ago")])
def test_only_the_remaining_time_is_waited(now, wait):
    assert remaining_wait(Window(0, 100), 30, now) == wait
