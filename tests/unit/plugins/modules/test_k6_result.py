# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options, its answer and its failures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.perfscale.mlflow.plugins.modules import k6_result

CAPTURED = Path(__file__).resolve().parents[2] / "fixtures" / "k6"


@pytest.fixture
def directory(tmp_path):
    return Path(shutil.copytree(CAPTURED / "1.8.1", tmp_path / "attempt"))


def run(capsys, **options):
    """Run the module; return its exit code and answer."""
    with patch_module_args(options), pytest.raises(SystemExit) as ended:
        k6_result.main()
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_answer(capsys, directory, tmp_path):
    code, answer = run(capsys, directory=str(directory), dest=str(tmp_path / "kept"), exit_code=0, remove_raw=True)
    assert (code, answer["changed"]) == (0, True)
    assert answer["result"]["samples"]["rows"] == 58
    assert set(answer["files"]) == {"samples.csv.gz", "tenants.csv", "latencies.csv", "timeline.csv"}
    assert not (directory / "raw.csv").exists()


def test_failure_is_one_sentence(capsys, tmp_path):
    code, answer = run(capsys, directory=str(tmp_path), dest=str(tmp_path))
    assert code == 1
    assert answer["msg"].startswith(f"Raw samples {tmp_path}/raw.csv: the file is missing.")
    assert "exception" not in answer


def test_window_needs_both_ends(capsys, directory):
    code, answer = run(capsys, directory=str(directory), dest=str(directory), window_start=1.0)
    assert code == 1
    assert "window_end" in answer["msg"]


def test_options_reach_the_attempt():
    spec = k6_result.argument_spec()
    params = {name: option.get("default") for name, option in spec.items()}
    params.update(directory="/a", dest="/b", window_start=1.5, window_end=2.5, exit_code=99, request_timeout=30.0, operations=["get_run"])
    attempt = k6_result.attempt_of(params)
    assert attempt.window == (1.5, 2.5)
    assert (attempt.exit_code, attempt.timeout_s, attempt.operations, attempt.remove_raw) == (99, 30.0, ["get_run"], False)


def test_documentation_matches_the_options():
    documented = yaml.safe_load(k6_result.DOCUMENTATION)["options"]
    spec = k6_result.argument_spec()
    assert documented.keys() == spec.keys()
    for name, option in spec.items():
        assert {key: documented[name].get(key) for key in ("type", "required", "default", "elements")} == {
            key: option.get(key) for key in ("type", "required", "default", "elements")
        }, name
