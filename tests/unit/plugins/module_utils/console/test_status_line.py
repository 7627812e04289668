# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a terminal: it fits, gives way, and needs no UTF-8."""

from __future__ import annotations

import io

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.status_line import StatusLine, encodes, is_terminal

ERASE = "\r\x1b[K"


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
