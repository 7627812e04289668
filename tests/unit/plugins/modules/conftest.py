# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's main() as Ansible does and return its result."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from importlib import import_module

import pytest
from ansible.module_utils.testing import patch_module_args


@pytest.fixture(name="run_module")
def fixture_run_module():
    """Return a function (module name, arguments, check) that returns the module's result; `failed` is in it if it failed."""

    def run(name, arguments, check=False):
        module = import_module(f"ansible_collections.perfscale.mlflow.plugins.modules.{name}")
        output = io.StringIO()
        with patch_module_args({**arguments, "_ansible_check_mode": check}), redirect_stdout(output), pytest.raises(SystemExit):
            module.main()
        return json.loads(output.getvalue())

    return run
