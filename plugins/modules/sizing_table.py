#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the sizing table of several searches."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sizing_table
version_added: 0.2.0
short_description: Write the sizing table of several searches
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads C(capacity.json) and the records of a run for each deployment, and writes C(sizing.csv) and C(sizing.md) with the capacity in all, per core and per
    GiB that MLflow and its database used at the limit.
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
options:
  results_directory:
    description: The directory of the runs, which are called C(<name>-<deployment>). The table is written into its directory O(name).
    type: path
    required: true
  name:
    description: The name of the sizing.
    type: str
    required: true
  deployments:
    description: The labels of the deployments.
    type: list
    elements: str
    required: true
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
requirements:
  - jsonschema
"""

EXAMPLES = r"""
- name: Write the table of two deployments
  perfscale.mlflow.sizing_table:
    results_directory: /results
    name: sizing-1
    deployments: [workers-1, workers-2]
    schema_directory: /collection/files/schemas
"""

RETURN = r"""
sizing:
  description: What was written.
  returned: success
  type: dict
  contains:
    rows:
      description: One dictionary per deployment, with the columns of the table.
      type: list
      elements: dict
    lines:
      description: The table as lines of Markdown.
      type: list
      elements: str
    unanswered:
      description: The deployments whose search has no answer.
      type: list
      elements: str
    files:
      description: The files that were written.
      type: list
      elements: str
"""

import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.sizing import sizing_markdown, sizing_rows, write_sizing
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = None


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    """Run the module."""
    module = create_module(
        argument_spec={
            "results_directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "deployments": {"type": "list", "elements": "str", "required": True},
            "schema_directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("jsonschema"), exception=MISSING)
    results, name = Path(module.params["results_directory"]), module.params["name"]
    try:
        rows = sizing_rows([(label, results / f"{name}-{label}") for label in module.params["deployments"]], module.params["schema_directory"])
        files = [] if module.check_mode else write_sizing(results / name, rows)
    except (FileWriteError, ValueError) as error:
        module.fail_json(msg=str(error))
    unanswered = [row["deployment"] for row in rows if row["capacity"] is None]
    lines = sizing_markdown(rows).splitlines()
    module.exit_json(changed=True, sizing={"rows": rows, "lines": lines, "unanswered": unanswered, "files": [str(results / name / file) for file in files]})


if __name__ == "__main__":
    main()
