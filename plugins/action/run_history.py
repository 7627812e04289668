# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: run the module run_history in the process of its task."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.modules import run_history
from ansible_collections.perfscale.mlflow.plugins.plugin_utils.module_action import ModuleAction


class ActionModule(ModuleAction):
    module = run_history
