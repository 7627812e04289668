#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create or delete the data of a private PostgreSQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_postgres
version_added: 0.1.0
short_description: Create or delete the data of a private PostgreSQL
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Creates a data directory with one role, a generated password (stored in a password file that only its owner can read) and an empty database.
  - Does not start the server; M(perfscale.mlflow.local_process) does.
  - PostgreSQL does not run as root, so for root the data belongs to the user V(postgres) or V(nobody),
    in a private directory of C(/var/tmp) when that user cannot reach O(state_dir).
options:
  state:
    description: Whether the data has to exist.
    type: str
    choices: [present, absent]
    default: present
  state_dir:
    description: Directory that records where the data and the password are.
    type: path
    required: true
  bin_dir:
    description: Directory of C(initdb) and C(postgres), required with O(state=present).
    type: path
  version:
    description: Version of these programs, required with O(state=present).
    type: str
attributes:
  check_mode:
    description: Can run in check mode and returns what would change.
    support: full
"""

EXAMPLES = r"""
- name: Create a private database cluster
  perfscale.mlflow.local_postgres:
    state_dir: /var/tmp/demo
    bin_dir: /usr/lib/postgresql/15/bin
    version: "15.16"
  register: postgres
"""

RETURN = r"""
cluster:
  description: C(data_dir), C(home), C(bin_dir), C(user) (null for the current one), C(passfile), C(role) and C(database); null when absent.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.postgres import Cluster


def apply(cluster, params, dry):
    """Bring the database cluster into the requested state; return (description or None, changed). Raises ToolError."""
    if params["state"] == "absent":
        return None, cluster.pointer.exists() if dry else cluster.remove()
    if dry and not cluster.home():
        return None, True
    return cluster.ensure(params["version"])


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "state_dir": {"type": "path", "required": True},
            "bin_dir": {"type": "path"},
            "version": {"type": "str"},
        },
        required_if=[("state", "present", ["bin_dir", "version"])],
        supports_check_mode=True,
    )
    cluster = Cluster(module.params["state_dir"], module.params["bin_dir"] or "")
    try:
        description, changed = apply(cluster, module.params, module.check_mode)
    except ToolError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, cluster=description)


if __name__ == "__main__":
    main()
