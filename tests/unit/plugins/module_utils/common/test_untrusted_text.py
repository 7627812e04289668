# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import codecs

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import (
    csv_cell,
    decode,
    markdown,
    markdown_code,
    one_line,
    printable,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain – ä 漢\tx\ny", "plain – ä 漢\tx\ny", id="text stays"),
        pytest.param("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J", id="terminal"),
        pytest.param("a\rb\r\nc", "a\\x0db\nc", id="carriage return"),
        pytest.param("\x9b31m\x00", "\\x9b31m\\x00", id="C1"),
        pytest.param("a\ufffeb\uffff", "a\\ufffeb\\uffff", id="no XML"),
        pytest.param("user\u202etxt.exe\u2066", "user\\u202etxt.exe\\u2066", id="direction"),
    ],
)
def test_control_characters_are_visible(text, shown):
    assert printable(text) == shown


def test_one_line_is_one():
    assert one_line("a\n\n b\u2028c\x0bd", 12) == "a b\\u2028c\\x"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("Rate 3.5 of run_id, a-b (50 %): ok.", "Rate 3.5 of run_id, a-b (50 %): ok.", id="prose stays readable"),
        pytest.param("[click](http://x)", "\\[click\\](http://x)", id="link"),
        pytest.param("![](http://x)", "!\\[\\](http://x)", id="image"),
        pytest.param("<img src=x>&lt;", "\\<img src=x\\>\\&lt;", id="html"),
        pytest.param("a|b\n|c", "a\\|b \\|c", id="table"),
        pytest.param("`x` *y* _z_ ~~w~~ $m$", "\\`x\\` \\*y\\* \\_z\\_ \\~\\~w\\~\\~ \\$m\\$", id="spans"),
        pytest.param("# x", "\\# x", id="heading"),
        pytest.param("- x", "\\- x", id="item"),
        pytest.param("1. x", "1\\. x", id="number"),
        pytest.param("1.5 s", "1.5 s", id="figure"),
        pytest.param("a\x1b[1m", "a\\\\x1b\\[1m", id="control"),
    ],
)
def test_markdown_shows_the_text(text, escaped):
    assert markdown(text) == escaped


@pytest.mark.parametrize(("text", "code"), [("t1-c5", "`t1-c5`"), ("a|b", "`a\\|b`"), ("a`b``c", "``` a`b``c ```")])
def test_code_spans_hold_any_text(text, code):
    assert markdown_code(text) == code


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        *[pytest.param(text, text, id=text or "empty") for text in ("", "t1-c5-r1", "-5", "-5.25", "+3", "-1e-05", "-.5", "a=b")],
        *[pytest.param(text, f"'{text}", id=text) for text in ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "--", "=")],
        pytest.param("\r=x", "'\\x0d=x", id="carriage return"),
        pytest.param(-5.5, -5.5, id="number"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_no_cell_is_a_formula(cell, written):
    assert csv_cell(cell) == written


@pytest.mark.parametrize(
    "data",
    [
        "a: ä\nb\n".encode(),
        "a: ä\r\nb\r\n".encode(),
        codecs.BOM_UTF8 + "a: ä\r\nb\r\n".encode(),
        "a: ä\r\nb\r\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "a: ä\nb\n".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "a: ä\nb\n".encode("utf-32-le"),
        "a: ä\rb\r".encode(),
    ],
    ids=["plain", "crlf", "bom", "utf-16", "utf-16-be", "utf-32", "cr"],
)
def test_files_are_read_as_editors_save_them(data):
    assert decode(data) == "a: ä\nb\n"
