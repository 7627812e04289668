# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a task has the filters of this collection from its beginning."""

from __future__ import annotations

import pytest

from fakes.playbook import run_playbook

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Print what is loaded
      ansible.builtin.debug:
        msg: "loaded: {{ lookup('loaded') }}"
"""
LOOKUP = """
import sys
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [str("ansible_collections.perfscale.mlflow.plugins.filter.seconds" in sys.modules)]
"""


@pytest.mark.parametrize(("callbacks", "loaded"), [("perfscale.mlflow.preload", True), ("perfscale.mlflow.heartbeat", False)])
def test_filters_are_loaded_before_tasks_begin(tmp_path, callbacks, loaded):
    (tmp_path / "lookup_plugins").mkdir()
    (tmp_path / "lookup_plugins" / "loaded.py").write_text(LOOKUP, encoding="utf-8")
    code, output = run_playbook(tmp_path, PLAY, ANSIBLE_CALLBACKS_ENABLED=callbacks)
    assert code == 0
    assert f"loaded: {loaded}" in output


def test_the_configuration_of_the_checkout_loads_them(tmp_path):
    (tmp_path / "lookup_plugins").mkdir()
    (tmp_path / "lookup_plugins" / "loaded.py").write_text(LOOKUP, encoding="utf-8")
    assert "loaded: True" in run_playbook(tmp_path, PLAY)[1]
