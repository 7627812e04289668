# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists given as text: ansible-playbook -e report_sources=a,b (tests/repository/test_text_inputs.py has every input)."""

from __future__ import annotations

import subprocess

from fakes.legacy_folder import write_legacy_folder

from .suite import ANSIBLE_PLAYBOOK, ROOT, Suite


def report(directory, *variables, **env):
    command = [str(ANSIBLE_PLAYBOOK), str(ROOT / "playbooks/report.yml"), *(f"-e{variable}" for variable in variables)]
    environment = Suite(directory).environment(env)
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_two_folders_with_a_comma_between_them_are_two_sources(tmp_path):
    sources = [write_legacy_folder(tmp_path / name) for name in ("first", "second")]
    finished = report(tmp_path, f"report_sources={sources[0]},{sources[1]}", "report_formats=csv,markdown", "report_output_dir=out")
    assert finished.returncode == 0, finished.stdout
    assert all(f"Folder {source}" in finished.stdout for source in sources)
    assert (tmp_path / "out" / "summary.md").is_file()
    assert not (tmp_path / "out" / "index.html").exists()


def test_what_is_no_list_is_a_sentence(tmp_path):
    finished = report(tmp_path, '{"report_sources": "{\\"a\\": 1}"}')
    assert finished.returncode != 0
    assert "Input report_sources: not a list. Give it as -e report_sources=a,b" in " ".join(finished.stdout.split())


def test_the_file_that_a_ci_server_names_has_the_summary(tmp_path):
    step, source = tmp_path / "step.md", write_legacy_folder(tmp_path / "old")
    finished = report(tmp_path, f"report_sources={source}", "report_formats=csv,junit", "report_output_dir=out", GITHUB_STEP_SUMMARY=str(step))
    assert finished.returncode == 0, finished.stdout
    assert step.read_text().startswith("# Not judged: ")
    assert (tmp_path / "out" / "junit.xml").is_file()
