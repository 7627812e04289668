# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress as text, as a bar, and on their way between processes; the status line, which fits, is cleared for other output, and needs no UTF-8."""

from __future__ import annotations

import io
import pickle

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.progress import ProgressLine, StatusLine, encodes, is_terminal

ERASE = "\r\x1b[K"
LINE = ProgressLine.of_load("cell 2 of 4 t1-c10-r1", "86 requests/s, 900 requests so far, 3 failed", 100, 65, 100)


def test_the_text_names_the_time_left():
    assert LINE == ("cell 2 of 4 t1-c10-r1: 1 min 5 s left in the cell, 2 min 45 s of load left in the run, 86 requests/s, 900 requests so far, 3 failed")


def test_the_text_of_a_load_without_an_expected_end():
    assert ProgressLine.of_load("prefill of 4 tenants", "24 requests/s") == "prefill of 4 tenants: 24 requests/s"


def test_the_figures_survive_the_way_from_a_worker():
    received = pickle.loads(pickle.dumps(LINE))  # noqa: S301
    assert received == LINE
    assert received.drawn(0, 80) == LINE.drawn(0, 80)


@pytest.mark.parametrize(
    ("age_s", "width", "text"),
    [
        pytest.param(0, 60, "cell 2 of 4 t1-c10-r1 [#######-------------]  35%, 1 min 5 s left", id="too narrow for all of it"),
        pytest.param(15, 90, "cell 2 of 4 t1-c10-r1 [##########----------]  50%, 50 s left, 2 min 30 s in the run", id="time passes"),
        pytest.param(0, 45, "cell 2 of 4 t1-c10-r1  35%, 1 min 5 s left", id="no room for a bar"),
        pytest.param(0, 20, "cell 2 of 4 t1-c10-r", id="narrow"),
        pytest.param(500, 70, "cell 2 of 4 t1-c10-r1 [####################] 100%, 0 s left", id="overdue"),
    ],
)
def test_the_bar_fits_the_width(age_s, width, text):
    drawn = LINE.drawn(age_s, max(width, len(text)))
    assert drawn == text


@pytest.mark.parametrize("width", range(1, 200, 7))
def test_no_bar_is_wider_than_the_terminal(width):
    assert len(LINE.drawn(3, width)) <= width


def test_a_bar_has_room_for_the_details_of_a_wide_terminal():
    assert LINE.drawn(0, 200).endswith("2 min 45 s in the run, 86 requests/s, 900 requests so far, 3 failed")


def test_a_line_without_figures_is_drawn_as_its_text():
    assert ProgressLine("Write the report: still runs after 30 s").drawn(0, 200) == "Write the report: still runs after 30 s"
    assert ProgressLine.of_load("prefill", "24 requests/s").drawn(0, 200) == "prefill: 24 requests/s"


class FakeTerminal(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


@pytest.fixture(name="terminal")
def fixture_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "21")
    monkeypatch.setenv("TERM", "xterm")
    return FakeTerminal()


def test_a_line_never_wraps(terminal):
    StatusLine(terminal).show("x" * 50)
    assert terminal.getvalue() == ERASE + "x" * 20


def test_a_line_is_removed_once(terminal):
    line = StatusLine(terminal)
    line.clear()
    line.show("a\nb")
    line.clear()
    line.clear()
    assert terminal.getvalue() == f"{ERASE}a b{ERASE}"


def test_what_the_terminal_cannot_show_is_replaced(terminal):
    StatusLine(terminal).show("5 % …")
    assert terminal.getvalue() == f"{ERASE}5 % ?"
    assert not encodes(terminal, "…")
    assert encodes(terminal, "...")


def test_a_closed_terminal_is_no_reason_to_stop(terminal):
    line = StatusLine(terminal)
    terminal.close()
    line.show("x")
    line.clear()


def test_only_a_terminal_that_can_erase_is_one(terminal, monkeypatch):
    assert is_terminal(terminal)
    assert not is_terminal(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(terminal)
