# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module target_record by its arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed

SCHEMAS = str(Path(__file__).resolve().parents[4] / "files" / "schemas")


@pytest.fixture(name="merge")
def fixture_merge(run_module, tmp_path):
    def call(part, check=False):
        files = {"path": str(tmp_path / "target.json"), "part_file": str(tmp_path / "part.json")}
        return run_module("target_record", {**files, "part": part, "schema_directory": SCHEMAS}, check)

    return call


def test_parts_of_several_roles_are_merged(merge, tmp_path):
    merge({"components": {"mlflow": "mlflow"}, "factors": {"workers": 1}})
    answer = merge({"components": {"postgresql": "postgresql"}, "generator": {"kind": "process"}})
    assert answer["changed"]
    assert answer["target"] == {
        "schema_version": 2,
        "components": {"mlflow": "mlflow", "postgresql": "postgresql"},
        "factors": {"workers": 1},
        "generator": {"kind": "process"},
    }
    stored = read_sealed(tmp_path / "target.json")
    assert {**answer["target"], "checksum": stored["checksum"]} == stored


def test_the_same_part_changes_nothing(merge):
    merge({"factors": {"workers": 1}})
    assert not merge({"factors": {"workers": 1}})["changed"]


def test_check_mode_writes_nothing(merge, tmp_path):
    assert merge({"factors": {}}, check=True)["changed"]
    assert not list(tmp_path.iterdir())


def test_the_part_is_kept_alone(merge, tmp_path):
    merge({"components": {"mlflow": "mlflow"}, "factors": {"workers": 1}})
    merge({"components": {"postgresql": "postgresql"}})
    assert json.loads((tmp_path / "part.json").read_text()) == {"components": {"postgresql": "postgresql"}}


def test_a_url_with_user_information_is_rejected_and_not_shown(merge, tmp_path):
    answer = merge({"mlflow": {"url": "http://user:pass-w0rd@host:5000"}})
    assert answer["failed"]
    assert answer["msg"] == "Field mlflow.url of target.json: user information in its URL. Give user and password in a file, and the URL without them."
    assert not (tmp_path / "target.json").exists()


def test_a_part_against_the_schema_is_rejected(merge):
    answer = merge({"generator": {"kind": "magic"}})
    assert answer["failed"]
    assert "at generator/kind" in answer["msg"]
