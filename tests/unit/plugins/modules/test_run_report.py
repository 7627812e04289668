# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.perfscale.mlflow.plugins.modules import run_report

FILES = Path(__file__).resolve().parents[4] / "files"


@pytest.fixture(name="legacy_folder")
def fixture_legacy_folder(tmp_path):
    """A folder with one summary that has a single operation; invented."""
    metrics = {
        "http_reqs": {"type": "counter", "values": {"count": 9, "rate": 1.0}},
        "get_run_response_time": {"type": "trend", "values": {"avg": 5, "min": 1, "med": 5, "max": 9, "p(90)": 8, "p(95)": 9}},
        "get_run_passed": {"type": "counter", "values": {"count": 9, "rate": 1.0}},
    }
    folder = tmp_path / "legacy"
    folder.mkdir()
    document = {"tenants": 1, "concurrency": 5, "data": {"metrics": metrics, "state": {"testRunDurationMs": 9000}}}
    (folder / "summary_tenants-1_concurrency_5.json").write_text(json.dumps(document))
    return folder


def run_module(capsys, **options):
    options = {"template_directory": str(FILES / "report"), "schema_directory": str(FILES / "schemas"), **options}
    with patch_module_args(options), pytest.raises(SystemExit) as ended:
        run_report.main()
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_writes_a_report(legacy_folder, tmp_path, capsys):
    code, result = run_module(capsys, sources=[str(legacy_folder)], output_dir=str(tmp_path / "out"), formats=["csv"])
    assert code == 0
    assert result["changed"]
    assert result["report"]["cells"] == 1
    assert (tmp_path / "out" / "report_summary.csv").exists()


def test_check_mode_writes_nothing(legacy_folder, tmp_path, capsys):
    code, result = run_module(capsys, sources=[str(legacy_folder)], output_dir=str(tmp_path / "out"), _ansible_check_mode=True)
    assert (code, result["report"]["files"]) == (0, [])
    assert not (tmp_path / "out").exists()


def test_fails_with_one_sentence(tmp_path, capsys):
    code, result = run_module(capsys, sources=[str(tmp_path / "absent")], output_dir=str(tmp_path / "out"))
    assert code == 1
    assert "nothing usable" in result["msg"]


@pytest.mark.parametrize(
    ("kind", "library"),
    [("csv", "pandas"), ("charts", "matplotlib"), ("html", "jinja2"), ("junit", "junitparser"), ("openmetrics", "prometheus_client")],
)
def test_a_missing_library_is_named(legacy_folder, tmp_path, capsys, monkeypatch, kind, library):
    monkeypatch.setattr(run_report, "find_spec", lambda name: None if name == library else basic)
    code, result = run_module(capsys, sources=[str(legacy_folder)], output_dir=str(tmp_path / "out"), formats=[kind])
    assert code == 1
    assert library in result["msg"]


def test_the_page_needs_its_templates(legacy_folder, tmp_path, capsys):
    code, result = run_module(capsys, sources=[str(legacy_folder)], output_dir=str(tmp_path / "out"), formats=["html"], template_directory=None)
    assert code == 1
    assert result["msg"].startswith("Format html: no template_directory.")
    assert not (tmp_path / "out").exists()
