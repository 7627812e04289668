# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options of the modules that save and restore baselines."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of module_utils/mlflow/baseline.py."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(initialized) saves the current state as the initial baseline, of no tenants, unless there are baselines. It fails if there are any of another
        MLflow version, schema revision or kind of database.
      - V(restored) restores the baseline of O(tenants), or the one with the next smaller number, on which the level is then built.
      - V(saved) saves the current state as the baseline of O(tenants) and restores it, so that the first cell of a level starts as the others do.
    type: str
    choices: [initialized, restored, saved]
    required: true
  database:
    description: The database of C(target.json), with C(baselines_dir) and C(artifacts_dir), or in a cluster with C(job).
    type: dict
    required: true
  mlflow_version:
    description: Version of the server.
    type: str
    required: true
  data_set_digest:
    description: Digest of the data set.
    type: str
    required: true
  prefix:
    description: Prefix of the tenants' names.
    type: str
    required: true
  tenants:
    description: Number of tenants of the level, required unless O(state=initialized).
    type: int
  state_reset:
    description: With V(level) a level that the same run restored last is not restored again.
    type: str
    choices: [cell, level]
    default: cell
  cell_directory:
    description: >-
      Directory of the cell in the results of its run, required unless O(state=initialized). While the load of an earlier execution goes on for it, or its
      samples are still to be recorded, nothing is restored.
    type: path
  plan_digest:
    description: Digest of the plan to which such a load has to belong.
    type: str
    default: ""
"""
