# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a playbook, by the results of its tasks."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.run_directory import run_directory


def invoked(**arguments):
    return {"invocation": {"module_args": arguments}}


@pytest.mark.parametrize(
    ("action", "result", "directory"),
    [
        pytest.param("ansible.builtin.set_fact", {"ansible_facts": {"test_matrix_run_dir": "/r/1"}}, "/r/1", id="fact"),
        pytest.param("perfscale.mlflow.cell_record", invoked(run_directory="/r/1"), "/r/1", id="record"),
        pytest.param("perfscale.mlflow.target_record", invoked(path="/r/1/target.json"), "/r/1", id="target"),
        pytest.param("perfscale.mlflow.target_record", invoked(path="/r/1/other.json"), None, id="other file"),
        pytest.param("ansible.builtin.copy", invoked(run_directory="/r/1", path="/r/1/target.json"), None, id="module of somebody else"),
        pytest.param("perfscale.mlflow.cell_record", {"invocation": None}, None, id="no invocation"),
        pytest.param("perfscale.mlflow.cell_record", {"invocation": {"module_args": "hidden"}}, None, id="odd arguments"),
        pytest.param("ansible.builtin.set_fact", {"ansible_facts": {"test_matrix_run_dir": None}}, None, id="odd fact"),
        pytest.param("ansible.builtin.set_fact", {}, None, id="nothing"),
    ],
)
def test_the_directory_is_seen(action, result, directory):
    assert run_directory(action, result) == directory
