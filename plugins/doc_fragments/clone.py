# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options of the modules that clone a tenant."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of module_utils/mlflow/clone.py."""

    DOCUMENTATION = r"""
options:
  state:
    description: V(planned) only finds out what would be cloned, V(cloned) does it.
    type: str
    choices: [planned, cloned]
    default: cloned
  database:
    description: The database of C(target.json).
    type: dict
    required: true
  prefix:
    description: Prefix of the tenants' names.
    type: str
    required: true
  count:
    description: Number of tenants, numbered from 1. They have to exist.
    type: int
    required: true
  shape:
    description: What a tenant holds, as in M(perfscale.mlflow.data_set_info). Keys left out have the defaults of the data set.
    type: dict
    required: true
"""
