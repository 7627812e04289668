#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a search for the capacity probes next, and write what it found."""

from __future__ import annotations

DOCUMENTATION = r"""
module: capacity_search
version_added: 0.2.0
short_description: Decide what a search for the capacity probes next
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads the records of the finished probes of a run, whose plan has the parameters of the search, and decides about the next load.
  - Appends the next probe to the plan in C(run.json), and writes C(capacity.json) with what is known so far. At the end it writes the answer to both.
  - The decision is a function of the finished probes, so a search that was killed goes on where it stopped. A probe that is planned and has no record
    is the next one.
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
options:
  run_directory:
    description: The directory of the run, which C(perfscale.mlflow.cell_record) has begun.
    type: path
    required: true
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
requirements:
  - jsonschema
  - scipy
"""

EXAMPLES = r"""
- name: Decide what to probe next
  perfscale.mlflow.capacity_search:
    run_directory: /results/run-1
    schema_directory: /collection/files/schemas
  register: next
"""

RETURN = r"""
search:
  description: What to do next.
  returned: success
  type: dict
  contains:
    ended:
      description: Whether the search has ended.
      type: bool
    cell:
      description: The planned cell of the next probe, empty at the end.
      type: dict
    remaining_s:
      description: Seconds of load of all probes that may follow that one.
      type: float
    message:
      description: The next probe with what is known so far, or the answer.
      type: str
    status:
      description: How the search ended, or V(searching).
      type: str
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.run import take_step
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
    import scipy  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = None


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    """Run the module."""
    module = create_module(
        argument_spec={"run_directory": {"type": "path", "required": True}, "schema_directory": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("jsonschema and scipy"), exception=MISSING)
    try:
        step = take_step(module.params["run_directory"], module.params["schema_directory"], write=not module.check_mode)
    except (FileWriteError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, search=step)


if __name__ == "__main__":
    main()
