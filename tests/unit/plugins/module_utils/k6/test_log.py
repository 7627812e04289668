# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6.log as k6 1.1.0 and 1.8.1 wrote it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.log import last_error, window_line

WINDOW = {"perfscale": "window", "warmup_start_ms": 1, "start_ms": 2, "end_ms": 3}


def test_window_of_a_real_log(attempt_directory):
    window = window_line(attempt_directory / "k6.log")
    assert window["end_ms"] - window["start_ms"] == 1200
    assert window["users"] == {"training": 1, "browsing": 1}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(json.dumps(WINDOW), id="the object itself"),
        pytest.param(json.dumps({"level": "info", "msg": json.dumps(WINDOW), "source": "console"}), id="log format json"),
        pytest.param(f'time="x" level=info msg={json.dumps(json.dumps(WINDOW))} source=console', id="log format text"),
    ],
)
def test_window_in_every_log_format(tmp_path, line):
    (tmp_path / "k6.log").write_text(f"starting\n{line}\nlater\n")
    assert window_line(tmp_path / "k6.log") == WINDOW


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('msg="perfscale is here"\n', id="the word alone"),
        pytest.param('msg="{\\"perfscale\\":\\"win', id="cut off"),
        pytest.param('{"perfscale": "other"}\n', id="another object"),
        pytest.param('{"perfscale": }\n', id="broken object"),
    ],
)
def test_no_window(tmp_path, text):
    (tmp_path / "k6.log").write_text(text)
    assert window_line(tmp_path / "k6.log") is None


def test_missing_log_has_no_window_and_no_error(tmp_path):
    assert window_line(tmp_path / "k6.log") is None
    assert last_error(tmp_path / "k6.log") is None


@pytest.mark.parametrize("version", ["1.1.0", "1.8.1"])
@pytest.mark.parametrize(
    ("log", "error"),
    [
        pytest.param("exit_99", "thresholds on metrics 'beats' have been crossed", id="99"),
        pytest.param("exit_104", "the number of VUs must be more than 0", id="104"),
        pytest.param("exit_107", "Error: load config: url is missing. Give mlflow.url.", id="107"),
        pytest.param("exit_108", "test aborted: the server is gone", id="108"),
        pytest.param("unknown_flag", "unknown flag: --no-such-flag", id="unknown flag"),
    ],
)
def test_last_error_of_a_real_log(captured, version, log, error):
    found = last_error(captured / version / "logs" / f"{log}.log")
    assert error in found
    assert "\n" not in found
    assert "\tat " not in found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("level=warning msg=slow\n", None, id="only warnings"),
        pytest.param("level=error msg=first\nlevel=error msg=second\nbye\n", "second", id="the last one"),
        pytest.param('level=error msg="read" error="no \\"such\\" file"\n', 'read: no "such" file', id="with its cause"),
        pytest.param('level=error msg="bad \\q escape"\n', "bad \\q escape", id="odd escape"),
        pytest.param("panic: nil map\ngoroutine 1 [running]\n", "panic: nil map", id="panic"),
        pytest.param('{"level":"error","msg":"as json"}\n', "as json", id="log format json"),
        pytest.param('{"level":"error","msg":"cut\n', '{"level":"error","msg":"cut', id="json cut off"),
        pytest.param("level=error without message\n", "level=error without message", id="no message"),
    ],
)
def test_last_error(tmp_path, text, error):
    (tmp_path / "k6.log").write_text(text)
    assert last_error(tmp_path / "k6.log") == error


def test_a_long_error_is_cut(tmp_path):
    (tmp_path / "k6.log").write_text("level=error msg=" + "x" * 100_000 + '\nlevel=error msg="' + "y " * 1000 + '"\n')
    assert len(last_error(tmp_path / "k6.log")) == 300
