# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: restore a published run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_restoration
version_added: 0.2.0
short_description: Restore a published run from a sink
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Fetches the run from the first sink that has it, and verifies each file against C(manifest.json).
  - Local files that are identical are not fetched. A local file that differs is never overwritten.
  - A run whose publication was interrupted is restored too. Each file is then either the one from before or the one from after that publication.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.sinks
attributes:
  check_mode:
    description: Can run in check mode, in which it checks the settings and sends no request.
    support: full
options:
  run_id:
    description: The run, or V(latest) for the one that a sink names C(latest).
    type: str
    required: true
  results_directory:
    description: The directory that holds one directory for each run.
    type: path
    required: true
  only:
    description: Patterns of paths; only matching files are fetched, such as the records of a run. An asterisk matches slashes too.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Restore the latest run
  perfscale.mlflow.run_restoration:
    run_id: latest
    results_directory: /results
    schema_directory: /collection/files/schemas
    sinks:
      - kind: directory
        path: /mnt/results
"""

RETURN = r"""
restoration:
  description: What was restored.
  returned: success
  type: dict
  contains:
    found:
      description: Whether a sink has the run.
      type: bool
    run_id:
      description: The run, also for V(latest); empty when none was found.
      type: str
    directory:
      description: Local directory of the run.
      type: str
    sink:
      description: Name of the sink that it came from.
      type: str
    location:
      description: Location of the run in that sink.
      type: str
    restored:
      description: Number of fetched files.
      type: int
    unchanged:
      description: Number of files that already existed.
      type: int
    warnings:
      description: Problems of other sinks.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import restoration, sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import LIBRARY, MISSING, SettingsError, cluster_options, sink_spec


def argument_spec():
    """Return the module's options."""
    return {
        **sink_spec(),
        "run_id": {"type": "str", "required": True},
        "results_directory": {"type": "path", "required": True},
        "only": {"type": "list", "elements": "str", "default": []},
    }


def run(params, check_mode=False):
    """Return the module's result for its options. Raises SettingsError, SinkError and FileWriteError."""
    opened = sinks.create_sinks(params["sinks"], cluster_options(params, params["run_id"]))
    if check_mode:
        return {"changed": False, "restoration": restoration.NOT_FOUND}
    try:
        found = restoration.restore(params["run_id"], params["results_directory"], opened, params["schema_directory"], params["only"])
    finally:
        for sink in opened:
            sink.close(for_good=True)
    return {"changed": found["restored"] > 0, "restoration": found}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARY), exception=MISSING)
    try:
        result = run(module.params, module.check_mode)
    except (FileWriteError, SettingsError, SinkError) as error:
        module.fail_json(msg=str(error))
    except sinks.MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library), exception=error.trace)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
