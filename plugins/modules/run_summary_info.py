# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: return the verdict of a run and its summary."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_summary_info
version_added: 0.2.0
short_description: Get the verdict of a run and its summary
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads the records of a run and returns the few values that are useful where its files are not available, such as in the artifacts of a job in AWX.
  - Opens every record and every file that the records name, and compares them with their checksums.
attributes:
  check_mode:
    description: Can run in check mode, since it changes nothing.
    support: full
options:
  run_directory:
    description: The directory of the run.
    type: path
    required: true
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
requirements:
  - jsonschema
"""

EXAMPLES = r"""
- name: Get the verdict of the latest run
  perfscale.mlflow.run_summary_info:
    run_directory: results/latest
    schema_directory: /collection/files/schemas
  register: run_summary
"""

RETURN = r"""
summary:
  description: The run in a few values.
  returned: success
  type: dict
  contains:
    run_id:
      description: The run.
      type: str
    verdict:
      description:
        - V(incomplete) when cells have no record or one that is damaged, else V(failed) when a cell has no measurement, else V(invalid) when a cell is
          invalid or an objective of severity error is missed, else V(valid).
      type: str
    cells_valid:
      description: Number of valid cells.
      type: int
    cells_planned:
      description: Number of cells in the plan.
      type: int
    goodput_per_s_max:
      description: The highest goodput of a valid cell, in successful requests per second; null without a valid cell.
      type: float
    p95_ms_at_max:
      description: The 95th percentile of that cell's requests, in milliseconds; null where there were too few requests.
      type: float
    error_ratio_max:
      description: The highest share of failed requests in a valid cell; null without a valid cell.
      type: float
    gaps:
      description: One sentence for each damaged record or file, and one for cells without a record.
      type: list
      elements: str
    warnings:
      description: What could not be verified.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import LIBRARY, MISSING
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import summarize


def argument_spec():
    """Return the module's options."""
    return {"run_directory": {"type": "path", "required": True}, "schema_directory": {"type": "path", "required": True}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARY), exception=MISSING)
    try:
        found = summarize(module.params["run_directory"], module.params["schema_directory"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    for warning in found["warnings"]:
        module.warn(warning)
    module.exit_json(changed=False, summary=found)


if __name__ == "__main__":
    main()
