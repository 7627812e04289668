# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit code of a teardown, and what it prints of objects that stay: role cluster_cleanup with a fake API server."""

from __future__ import annotations

import json

import pytest

from fakes.fake_api_server import FakeApiServer
from fakes.playbook import run_playbook

PLAY = """
- name: Clean up
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/perfscale.mlflow.kubernetes:
      host: "{{ server }}"
      api_key: key-of-the-tests
  tasks:
    - name: Delete what the run created
      ansible.builtin.include_role:
        name: perfscale.mlflow.cluster_cleanup
"""
DSC = {"object": "DataScienceCluster mine", "why": "stays unchanged, because MLflow mlflow still exists. Delete that first."}
MLFLOW = {"object": "MLflow mlflow", "why": "created by run postgres", "run_id": "postgres"}


@pytest.fixture
def clean_up(tmp_path):
    """Run the role for run gateway with objects that stay; returns the exit code and the output in one line."""

    def play(*staying):
        variables = {"run_id": "gateway", "cluster_cleanup_run_id": "gateway", "cluster_cleanup_staying": staying, "cluster_cleanup_timeout_s": 5}
        with FakeApiServer() as server:
            given = json.dumps({**variables, "server": server.url})
            code, output = run_playbook(tmp_path, PLAY, "-e", given, KUBECONFIG=str(tmp_path / "none"))
        return code, " ".join(output.split())

    return play


@pytest.mark.parametrize(("run_id", "code"), [("", 2), ("postgres", 0)], ids=["unmanaged", "another-run"])
def test_what_open_data_hub_leaves_counts_by_its_reason(clean_up, run_id, code):
    ended, output = clean_up({**DSC, "run_id": run_id})
    assert ended == code
    assert "DataScienceCluster mine" in output
    assert "MLflow mlflow still exists. Delete that first." in output


def test_the_mlflow_of_another_run_is_named_and_no_failure(clean_up):
    ended, output = clean_up(MLFLOW)
    assert ended == 0
    assert "MLflow mlflow: created by run postgres" in output
    assert "goes with its run_id, or with teardown_all=true" in output
