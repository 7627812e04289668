# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules target_record and k6_process by their arguments."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

SCHEMAS = str(Path(__file__).resolve().parents[4] / "files" / "schemas")


@pytest.fixture(name="merge")
def fixture_merge(run_module, tmp_path):
    def call(part, check=False):
        return run_module("target_record", {"path": str(tmp_path / "target.json"), "part": part, "schema_directory": SCHEMAS}, check)

    return call


def test_parts_of_several_roles_are_merged(merge, tmp_path):
    merge({"components": {"mlflow": "mlflow"}, "factors": {"workers": 1}})
    answer = merge({"components": {"postgresql": "postgresql"}, "generator": {"kind": "process"}})
    assert answer["changed"]
    assert answer["target"] == {
        "schema_version": 1,
        "components": {"mlflow": "mlflow", "postgresql": "postgresql"},
        "factors": {"workers": 1},
        "generator": {"kind": "process"},
    }
    assert json.loads((tmp_path / "target.json").read_text(encoding="utf-8")) == answer["target"]


def test_the_same_part_changes_nothing(merge):
    merge({"factors": {"workers": 1}})
    assert not merge({"factors": {"workers": 1}})["changed"]


def test_check_mode_writes_nothing(merge, tmp_path):
    assert merge({"factors": {}}, check=True)["changed"]
    assert not (tmp_path / "target.json").exists()


def test_a_part_against_the_schema_is_refused(merge):
    answer = merge({"generator": {"kind": "magic"}})
    assert answer["failed"] and "at generator/kind" in answer["msg"]


def test_k6_process_starts_attaches_and_stops(run_module, tmp_path):
    stand_in = tmp_path / "k6-stand-in"
    stand_in.write_text(f"#!{shutil.which('sh')}\nexec {shutil.which('sleep')} 60\n", encoding="utf-8")
    stand_in.chmod(0o755)
    arguments = {"directory": str(tmp_path / "cell"), "script": "/s.js", "binary": str(stand_in), "schema_directory": SCHEMAS}
    stopping = {"state": "stopped", "directory": str(tmp_path / "cell"), "schema_directory": SCHEMAS}
    try:
        first, second = run_module("k6_process", arguments), run_module("k6_process", arguments)
        assert (first["changed"], second["changed"]) == (True, False)
        assert first["attempt"]["handle"] == second["attempt"]["handle"]
    finally:
        stopped = run_module("k6_process", stopping)
    assert stopped["changed"]
    assert not run_module("k6_process", stopping)["changed"]


def test_k6_process_in_check_mode_starts_nothing(run_module, tmp_path):
    arguments = {"directory": str(tmp_path / "cell"), "script": "/s.js", "binary": "/bin/false", "schema_directory": SCHEMAS}
    assert run_module("k6_process", arguments, check=True)["attempt"] == {}
    assert not (tmp_path / "cell").exists()


def test_k6_process_names_a_missing_binary(run_module, tmp_path):
    arguments = {"directory": str(tmp_path / "cell"), "script": "/s.js", "binary": str(tmp_path / "none"), "schema_directory": SCHEMAS}
    answer = run_module("k6_process", arguments)
    assert answer["failed"] and "Process k6: not started" in answer["msg"]
