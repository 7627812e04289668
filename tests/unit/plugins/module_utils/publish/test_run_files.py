# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a run are published."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.run_files import RunFiles


def test_the_log_of_ansible_stays_on_the_controller(tmp_path):
    for name in ("run.json", "ansible.log", "cells/t1/k6.log", "diagnosis/ansible.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    uploads, findings = RunFiles(tmp_path).uploads([], [], lambda _path: None)
    assert [upload.path for upload in uploads] == ["cells/t1/k6.log", "diagnosis/ansible.log", "run.json"]
    assert findings == {}
    assert RunFiles(tmp_path).uploads(["ansible.log"], [], lambda _path: None) == ([], {})
