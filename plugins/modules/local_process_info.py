#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the state of the detached processes of a state directory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_process_info
version_added: 0.1.0
short_description: Get the state of detached processes of this machine
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads the handles that M(perfscale.mlflow.local_process) wrote and checks whether the processes run.
options:
  names:
    description: Names of the processes.
    type: list
    elements: str
    required: true
  state_dir:
    description: Directory of their handles.
    type: path
    required: true
requirements:
  - psutil
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: Get the state of the web server
  perfscale.mlflow.local_process_info:
    names: [web]
    state_dir: /var/tmp/demo
  register: found
"""

RETURN = r"""
processes:
  description: The processes by name, each as M(perfscale.mlflow.local_process) returns it in C(process).
  returned: success
  type: dict
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

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
            "names": {"type": "list", "elements": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if not HAS_PSUTIL:
        module.fail_json(msg=missing_required_lib("psutil"), exception=PSUTIL_ERROR)
    found = {name: DetachedProcess(name, module.params["state_dir"]).describe() for name in module.params["names"]}
    module.exit_json(changed=False, processes=found)


if __name__ == "__main__":
    main()
