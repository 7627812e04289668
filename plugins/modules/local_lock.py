#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acquire or release the lock of a local stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_lock
version_added: 0.1.0
short_description: Acquire or release the lock of a local stack
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Ensures that one C(ansible-playbook) at a time uses a local stack. The lock belongs to the process of C(ansible-playbook) and ends with it.
options:
  state_dir:
    description: State directory of the stack.
    type: path
    required: true
  state:
    description: V(held) acquires the lock, V(released) releases it.
    type: str
    choices: [held, released]
    default: held
  run_id:
    description: The run that holds the lock, named in the error of a second user.
    type: str
    default: ''
requirements:
  - psutil
attributes:
  check_mode:
    description: Only checks whether another process holds the lock.
    support: full
"""

EXAMPLES = r"""
- name: Acquire the lock of the stack
  perfscale.mlflow.local_lock:
    state_dir: /var/tmp/demo
    run_id: run-1
"""

RETURN = r"""
state_dir:
  description: The state directory.
  returned: success
  type: str
"""

import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import state_lock

try:
    import psutil

    HAS_PSUTIL = bool(psutil)
    PSUTIL_ERROR = None
except ImportError:
    HAS_PSUTIL = False
    PSUTIL_ERROR = traceback.format_exc()


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
            "run_id": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if not HAS_PSUTIL:
        module.fail_json(msg=missing_required_lib("psutil"), exception=PSUTIL_ERROR)
    directory = Path(module.params["state_dir"])
    try:
        if module.params["state"] == "held":
            changed = state_lock.acquire(directory, module.params["run_id"], module.check_mode)
        else:
            changed = state_lock.release(directory, module.check_mode)
    except (state_lock.StateDirectoryBusyError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, state_dir=str(directory))


if __name__ == "__main__":
    main()
