#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find change points in the numbers of many runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_history
version_added: 0.2.0
short_description: Find change points in the numbers of many runs
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads runs of one deployment, whose versions may differ, and writes every number of every point of the newest run as a series with its change points.
  - Change points are those of Apache Otava, which lives in an environment of its own in the cache, since it needs older libraries than this collection.
  - With too few runs the newest one is compared with the last good one before it.
  - Writes C(history.json), C(history.csv), C(history.md), C(junit.xml) and the page C(index.html).
extends_documentation_fragment:
  - perfscale.mlflow.comparison
attributes:
  check_mode:
    description: Reads and judges, and writes nothing. The environment of Apache Otava has to be there.
    support: full
options:
  runs:
    description: Runs, as directories, run ids or V(latest), and directories of runs, such as a sink of kind C(directory).
    type: list
    elements: str
    required: true
  output_directory:
    description: Where the history is written; C(history) in O(results_directory) by default.
    type: path
  known_changes:
    description: The content of a file of acknowledged changes, which follows C(files/schemas/known_changes.json).
    type: dict
  requirements_file:
    description: The requirements of the environment of Apache Otava, C(requirements-history.txt) of this collection.
    type: path
    required: true
  otava_python:
    description: The Python of an environment that has Apache Otava, instead of one in the cache.
    type: path
  cache_dir:
    description: The cache; C(perfscale.mlflow) below E(XDG_CACHE_HOME) or C(~/.cache) by default.
    type: path
"""

EXAMPLES = r"""
- name: Find change points in the runs of a directory
  perfscale.mlflow.run_history:
    runs: [/mnt/results]
    results_directory: /results
    metrics: "{{ lookup('ansible.builtin.file', '/collection/files/comparison/default.yml') | from_yaml }}"
    requirements_file: /collection/requirements-history.txt
    schema_directory: /collection/files/schemas
    template_directory: /collection/files/report
"""

RETURN = r"""
history:
  description: What was found and written.
  returned: success
  type: dict
  contains:
    status:
      description: V(failed) with an open change for the worse, or a comparison that failed, of at least the declared severity, else V(passed).
      type: str
    sentence:
      description: The answer.
      type: str
    runs:
      description: The ids of the runs, the oldest first.
      type: list
      elements: str
    warnings:
      description: What was left out, and what acknowledged changes were not found.
      type: list
      elements: str
    directory:
      description: Where it was written.
      type: str
    files:
      description: Names of the written files; empty in check mode.
      type: list
      elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import settings_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.history import history_of, known_changes
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs import OPTIONS, missing_library
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.page import write_history
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError


def argument_spec():
    """Return the module's options."""
    return {
        **OPTIONS,
        "runs": {"type": "list", "elements": "str", "required": True},
        "output_directory": {"type": "path"},
        "known_changes": {"type": "dict"},
        "requirements_file": {"type": "path", "required": True},
        "otava_python": {"type": "path"},
        "cache_dir": {"type": "path"},
    }


def otava_python(params):
    """Return the Python that has Apache Otava, which is installed into the cache when none is named. Raises OSError and ToolError."""
    if params["otava_python"]:
        return params["otava_python"]
    requirements = Path(params["requirements_file"]).read_text(encoding="utf-8")
    directory, _is_new = cache.ensure_environment(Path(params["cache_dir"] or cache.default_directory()), "otava", requirements)
    return str(directory / "bin/python")


def run(params, check_mode=False):
    """Return the module's result for its options. Raises ValueError, ReportError, FileWriteError, ToolError and OSError."""
    schemas, results = params["schema_directory"], Path(params["results_directory"])
    settings = settings_of(params["metrics"], schemas, params["tolerance"], params["severity"])
    known = known_changes(params["known_changes"], schemas) if params["known_changes"] else []
    document = history_of(params["runs"], results, schemas, settings, known, lambda: otava_python(params))
    directory = Path(params["output_directory"] or results / "history")
    files = [] if check_mode else write_history(directory, document, schemas, Path(params["template_directory"]))
    found = {key: document[key] for key in ("status", "sentence", "runs", "warnings")}
    return {"changed": not check_mode, "history": {**found, "directory": str(directory), "files": files}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    library = missing_library()
    if library:
        module.fail_json(msg=missing_required_lib(library))
    try:
        result = run(module.params, module.check_mode)
    except (ValueError, ReportError, FileWriteError, ToolError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Requirements {module.params['requirements_file']}: cannot be read ({error.strerror}). Name an existing file.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
