# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plugin: loads the filters of this collection once, before tasks begin."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preload
type: notification
short_description: Load the filters of this collection once
version_added: 0.2.0
description:
  - Loads the filters of this collection into the process of ansible-playbook, which each task is a copy of. Otherwise every task that uses one of them loads
    all of them, which takes an eighth of a second.
  - Writes and prints nothing.
author:
  - perfscale.mlflow contributors (@perfscale)
requirements:
  - C(perfscale.mlflow.preload) in C(callbacks_enabled), as in the C(ansible.cfg) of this collection's repository.
"""

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader


class CallbackModule(CallbackBase):
    """Acts once, at the start."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "perfscale.mlflow.preload"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook):
        """Load the filters: Ansible reads all of a collection to find one."""
        filter_loader.get("perfscale.mlflow.as_list")
