# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine and a generator used in the window."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.machine import machine_use
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.watcher import MACHINE_COLUMNS

WINDOW = Window(1_010_000, 1_030_000, {})


def notes(begin=1000, end=1040, used=1.5, own=0.25, waited=0.02, step=1):
    """Return the notes of a machine of two processors, with its use per second."""
    rows = [f"{at},2,{500 + used * (at - begin)},{own * (at - begin)},{waited * (at - begin):.3f}" for at in range(begin, end + 1, step)]
    return "\n".join([",".join(MACHINE_COLUMNS), *rows]) + "\n"


def use_of(tmp_path, text, requests=100):
    (tmp_path / "machine.csv").write_text(text)
    return machine_use(tmp_path / "machine.csv", WINDOW, requests)


def test_means_over_the_window(tmp_path):
    assert use_of(tmp_path, notes()) == {"cores": 2, "used_cores": 1.5, "generator_cores": 0.25, "generator_wait_ms": 4.0}


def test_only_the_window_counts(tmp_path):
    idle, busy = notes(end=1009, used=0).splitlines(), notes(begin=1010, used=2).splitlines()[1:]
    assert use_of(tmp_path, "\n".join([*idle, *busy]) + "\n")["used_cores"] == pytest.approx(2)


def test_rare_notes_are_interpolated(tmp_path):
    assert use_of(tmp_path, notes(step=8))["used_cores"] == pytest.approx(1.5)


def test_a_wait_does_not_vanish_with_its_thread(tmp_path):
    lines = notes().splitlines()
    lines[-11] = f"{lines[-11].rpartition(',')[0]},0"  # 1030, the end of the window
    assert use_of(tmp_path, "\n".join(lines) + "\n")["generator_wait_ms"] == pytest.approx(3.8)


def test_a_kernel_without_waits(tmp_path):
    text = "\n".join(line.rpartition(",")[0] + "," if line[0].isdigit() else line for line in notes().splitlines())
    assert use_of(tmp_path, text)["generator_wait_ms"] is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(notes(end=1000), id="one-note"),
        pytest.param(notes(end=1025), id="ended-before-the-window"),
        pytest.param(notes(begin=1015), id="begun-in-the-window"),
        pytest.param("time,cores\nx,y\n", id="damaged"),
    ],
)
def test_notes_that_do_not_cover_the_window_say_nothing(tmp_path, text):
    assert use_of(tmp_path, text) is None


def test_a_load_without_notes(tmp_path):
    assert machine_use(tmp_path / "machine.csv", WINDOW, 1) is None


def test_an_unfinished_last_line_is_not_used(tmp_path):
    assert use_of(tmp_path, notes() + "1041,2,5")["used_cores"] == pytest.approx(1.5)
