#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Report one or several runs
version_added: 0.1.0
description:
  - Reads C(run.json) and every C(cell.json) of runs, and result folders of the legacy suite
    (C(summary_tenants-*_concurrency_*.json), C(metrics_*_concurrency_*.csv)), and writes tables, charts and a page. Only the page reads samples, for
    the distributions inside its cells.
  - The tables and charts have the names and columns that users of the legacy suite know; columns that distinguish the cells of several runs
    come last.
  - Every record is verified against its checksum and its schema. A damaged one is named in RV(report.warnings) and the rest is reported.
author:
  - perfscale.mlflow contributors (@perfscale)
attributes:
  check_mode:
    description: Reads the sources and writes nothing.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
  idempotent:
    description: The same sources give the same tables; every call writes the files again and reports changed.
    support: none
requirements:
  - jsonschema
  - pandas
  - matplotlib
  - jinja2
  - junitparser
  - prometheus-client
options:
  sources:
    description:
      - Run directories, result folders of the legacy suite, and directories that contain these.
    type: list
    elements: path
    required: true
  output_dir:
    description:
      - Where the report is written. Created when it does not exist.
    type: path
    required: true
  formats:
    description:
      - What to write. V(csv) writes the tables, V(markdown) C(summary.md), V(junit) C(junit.xml) with cells and objectives as test cases,
        V(openmetrics) C(metrics.prom) with the summary numbers as gauges, V(charts) twelve PNG files, V(html) the page C(index.html), which draws its own
        figures, and, for a report inside of a run, C(index.html) of the results directory with a list of its runs. C(verdict.json) is always written.
    type: list
    elements: str
    choices: [csv, markdown, junit, openmetrics, charts, html]
    default: [csv, markdown, junit, openmetrics, charts, html]
  cell_parts:
    description:
      - Whether the page has a part for every cell, for which the files of the cells are read. Without them a page is written in a fraction of a second, as
        after each cell of a run.
    type: bool
    default: true
  step_summary_file:
    description:
      - A file to which the Markdown summary is appended, for CI servers that show one beside a job, such as the one that C(GITHUB_STEP_SUMMARY)
        names. A file that cannot be written is a warning.
    type: path
  template_directory:
    description:
      - The directory of the templates, the style sheet and the script of the page, C(files/report) of this collection. Required for the format V(html).
    type: path
  schema_directory:
    description:
      - The directory of the JSON Schemas, C(files/schemas) of this collection.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Report the latest run
  perfscale.mlflow.run_report:
    sources:
      - results/latest
    output_dir: results/latest/report
    schema_directory: /collection/files/schemas
    template_directory: /collection/files/report

- name: Compare two runs, tables only
  perfscale.mlflow.run_report:
    sources:
      - results/sqlite
      - results/postgres
    output_dir: results/comparison
    schema_directory: /collection/files/schemas
    formats:
      - csv
      - markdown
"""

RETURN = r"""
report:
  description: What was written and read.
  returned: success
  type: dict
  contains:
    files:
      description: Names of the written files in O(output_dir). Empty in check mode.
      type: list
      elements: str
      sample: [verdict.json, report_summary.csv, summary.md]
    cells:
      description: Number of reported cells, including those that were planned and not run.
      type: int
      sample: 4
    status:
      description: V(passed), V(failed), V(incomplete), or V(not_judged) for results of the legacy suite.
      type: str
      sample: passed
    summary:
      description: The verdict in one sentence.
      type: str
      sample: "Passed: 4 of 4 cells are valid, 8 of 8 objectives are met."
    answer:
      description: Up to which load the objectives are kept, where they break, and what likely limits that, in one sentence per combination of factors.
      type: str
      sample: "Keeps its objectives for 1 to 10 tenants up to 20 users; breaks at 50 users with 10 tenants: P95 939 ms > 500 ms; likely limit: ..."
    warnings:
      description: Problems and peculiarities of the sources.
      type: list
      elements: str
"""

from importlib.util import find_spec

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError

# Not every report has a page, but that of every cell has. Loaded here, it is loaded once, before Ansible forks the task.
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import page  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import FORMATS, create_report


def missing_library(formats: list[str]) -> str | None:
    """Return the first missing library that the formats need, or None."""
    needed = ["pandas", "jsonschema"]
    needed += [name for name, kind in (("matplotlib", "charts"), ("jinja2", "html")) if kind in formats]
    needed += [library for kind, library in (("junit", "junitparser"), ("openmetrics", "prometheus_client")) if kind in formats]
    return next((name for name in needed if find_spec(name) is None), None)


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    module = create_module(
        argument_spec={
            "sources": {"type": "list", "elements": "path", "required": True},
            "output_dir": {"type": "path", "required": True},
            "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
            "cell_parts": {"type": "bool", "default": True},
            "template_directory": {"type": "path"},
            "schema_directory": {"type": "path", "required": True},
            "step_summary_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    library = missing_library(module.params["formats"])
    if library:
        module.fail_json(msg=missing_required_lib(library))
    params = module.params
    if "html" in params["formats"] and not params["template_directory"]:
        module.fail_json(msg="Format html: no template_directory. Set it to files/report of the collection, or leave html out of formats.")
    try:
        report = create_report(
            params["sources"],
            params["output_dir"],
            params["formats"],
            params["schema_directory"],
            params["template_directory"] or "",
            write=not module.check_mode,
            cell_parts=params["cell_parts"],
            step_summary_file=params["step_summary_file"] or "",
        )
    except (ReportError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, report=report)


if __name__ == "__main__":
    main()
