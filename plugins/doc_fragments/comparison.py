# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that compare runs (plugins/module_utils/comparison)."""

from __future__ import annotations


class ModuleDocFragment:
    """Where runs are, which numbers of them are compared, and where the result is written."""

    DOCUMENTATION = r"""
options:
  results_directory:
    description: The directory of the runs that are given by their id.
    type: path
    required: true
  metrics:
    description: The content of a file of C(files/comparison), which has the numbers, their direction and their severity.
    type: dict
    required: true
  tolerance:
    description: The relative change up to which a number counts as the same, if its whole interval lies within.
    type: float
    default: 0.05
  severity:
    description: The least severity of a worse number for which the status is V(failed).
    type: str
    choices: [error, warning, info]
    default: error
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
  template_directory:
    description: The directory of the templates of the page, C(files/report) of this collection.
    type: path
    required: true
requirements:
  - jinja2
  - jsonschema
  - junitparser
  - pandas
  - scipy
"""
