# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: brings a published run back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_restoration
version_added: 0.2.0
short_description: Bring a published run back from a sink
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Takes the run from the first sink that has it, and verifies each file against C(manifest.json).
  - Files that are there already and are the same are not fetched. A local file that differs is never overwritten.
  - A run that was being published when its job was cut comes back too. Each file is then either as it was before or as it was to become.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.sinks
attributes:
  check_mode:
    description: Can run in check mode; it then checks the settings, and fetches and asks nothing.
    support: full
options:
  run_id:
    description: The run, or V(latest) for the run that a sink names so.
    type: str
    required: true
  results_directory:
    description: The directory that holds one directory for each run.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Bring the latest run back
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
  description: What was brought back.
  returned: success
  type: dict
  contains:
    found:
      description: Whether a sink has the run. Every sink was asked when none has it.
      type: bool
    run_id:
      description: The run, also where V(latest) was asked for; empty when none was found.
      type: str
    directory:
      description: Where it is now.
      type: str
    sink:
      description: Name of the sink that it came from.
      type: str
    location:
      description: Where it lies in that sink.
      type: str
    restored:
      description: How many files were fetched.
      type: int
    unchanged:
      description: How many were there already.
      type: int
    warnings:
      description: What kept other sinks from giving it.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import restoration, sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.module_options import LIBRARY, MISSING, cluster_options, sink_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.settings import SettingsError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError


def argument_spec():
    """Returns the module's options."""
    return {**sink_spec(), "run_id": {"type": "str", "required": True}, "results_directory": {"type": "path", "required": True}}


def run(params, check_mode=False):
    """Returns the module's result for its options. Raises SettingsError, SinkError and FileWriteError."""
    made = sinks.make(params["sinks"], cluster_options(params, params["run_id"]))
    if check_mode:
        return {"changed": False, "restoration": restoration.NOTHING}
    try:
        found = restoration.restore(params["run_id"], params["results_directory"], made, params["schema_directory"])
    finally:
        for sink in made:
            sink.close(for_good=True)
    return {"changed": found["restored"] > 0, "restoration": found}


def main():
    """Runs the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
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
