#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two sides of runs, number by number."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_comparison
version_added: 0.2.0
short_description: Compare two sides of runs, number by number
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Matches the cells of baseline and candidate by their factors, finds what is compared, and lists every other difference of the fingerprints.
  - Judges every number of every point as slower, faster, same or undecided, with a 95 % interval from the repeats and a correction for many comparisons.
  - Writes C(comparison.json), C(comparison.csv), C(comparison.md), C(junit.xml) and the page C(index.html).
extends_documentation_fragment:
  - perfscale.mlflow.comparison
attributes:
  check_mode:
    description: Reads and judges, and writes nothing.
    support: full
options:
  baseline:
    description: The runs of the baseline, as directories, run ids or V(latest). They are repeats of each other.
    type: list
    elements: str
    required: true
  candidate:
    description: The runs of the candidate, in the same way.
    type: list
    elements: str
    required: true
  output_directory:
    description: Where the comparison is written; C(comparison_<baseline>_<candidate>), after the first run of each side, in O(results_directory) by default.
    type: path
  factor:
    description: The compared factor, or key of the fingerprint. It is found when this is not set.
    type: str
    default: ""
  accept:
    description: Exactly the keys of load, data set, scripts and start state in which the sides differ on purpose.
    type: list
    elements: str
    default: []
  step_summary_file:
    description: A file to which C(comparison.md) is appended, for CI servers that show one beside a job.
    type: path
"""

EXAMPLES = r"""
- name: Compare the latest run with an earlier one
  perfscale.mlflow.run_comparison:
    baseline: [before]
    candidate: [latest]
    results_directory: /results
    metrics: "{{ lookup('ansible.builtin.file', '/collection/files/comparison/default.yml') | from_yaml }}"
    schema_directory: /collection/files/schemas
    template_directory: /collection/files/report
"""

RETURN = r"""
comparison:
  description: What was found and written.
  returned: success
  type: dict
  contains:
    status:
      description: V(failed) with a worse number of at least the declared severity, else V(passed).
      type: str
    sentence:
      description: The answer.
      type: str
    texts:
      description: The changes over all points, and the power of the comparison.
      type: list
      elements: str
    counts:
      description: By family, how many numbers are slower, faster, same and undecided.
      type: dict
    warnings:
      description: What limits the comparison, and what was left out.
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
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import compare, settings_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs import OPTIONS, comparison_markdown, missing_library, summary_texts
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.page import write_comparison
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.markdown import append_step_summary


def argument_spec():
    """Return the module's options."""
    return {
        **OPTIONS,
        "baseline": {"type": "list", "elements": "str", "required": True},
        "candidate": {"type": "list", "elements": "str", "required": True},
        "output_directory": {"type": "path"},
        "factor": {"type": "str", "default": ""},
        "accept": {"type": "list", "elements": "str", "default": []},
        "step_summary_file": {"type": "path"},
    }


def run(params, check_mode=False):
    """Return the module's result for its options. Raises ValueError, ReportError and FileWriteError."""
    schemas, results = params["schema_directory"], Path(params["results_directory"])
    settings = settings_of(params["metrics"], schemas, params["tolerance"], params["severity"], params["factor"], params["accept"])
    document = compare(params["baseline"], params["candidate"], results, schemas, settings)
    usual = f"comparison_{document['baseline']['runs'][0]}_{document['candidate']['runs'][0]}"
    directory = Path(params["output_directory"] or results / usual)
    files = [] if check_mode else write_comparison(directory, document, schemas, Path(params["template_directory"]))
    notes = append_step_summary(Path(params["step_summary_file"]), comparison_markdown(document)) if files and params["step_summary_file"] else []
    found = {**{key: document[key] for key in ("status", "sentence", "counts")}, "texts": summary_texts(document)}
    return {"changed": not check_mode, "comparison": {**found, "warnings": [*document["warnings"], *notes], "directory": str(directory), "files": files}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    library = missing_library()
    if library:
        module.fail_json(msg=missing_required_lib(library))
    try:
        result = run(module.params, module.check_mode)
    except (ValueError, ReportError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
