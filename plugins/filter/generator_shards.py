# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that says how many generators a plan needs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: generator_shards
version_added: 0.2.0
short_description: Return how many generators share the loads of a plan
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - A number is returned as it is, if it divides the virtual users of both journeys of every cell. k6 divides rates as it divides virtual users, so others are
    an error.
  - V(auto) computes the number from the record of a short cell with one generator, which shows how much processor time a request costs k6 on these nodes.
  - Virtual users make at most as many requests as in that cell.
options:
  _input:
    description: A plan, as P(perfscale.mlflow.expand_matrix#filter) returns it.
    type: dict
    required: true
  shards:
    description: The number, or V(auto).
    type: raw
    required: true
  round_vus:
    description: Whether virtual users that the number does not divide are rounded up.
    type: bool
    default: false
  calibration:
    description: With V(auto) the record of the short cell (C(cell.json)).
    type: dict
    default: {}
  nodes:
    description:
      - With V(auto) the nodes for generators, each with C(cpu_cores) and C(memory_bytes), the allocatable ones.
      - What is taken there already can be given as C(cpu_cores_taken) and C(memory_bytes_taken).
    type: list
    elements: dict
    default: []
  cores:
    description: With V(auto) the processors that one generator gets.
    type: float
    default: 1
  memory_bytes:
    description: With V(auto) the memory that one generator requests; 0 does not limit their number.
    type: float
    default: 0
  head_room:
    description: With V(auto) the share of a generator's processors that stays free, from 0 to below 1.
    type: float
    default: 0.3
"""

EXAMPLES = r"""
- name: Print how many generators the plan needs
  ansible.builtin.debug:
    msg: "{{ plan | perfscale.mlflow.generator_shards('auto', calibration=record, nodes=target.fingerprint.nodes, cores=1, memory_bytes=2147483648) }}"
"""

RETURN = r"""
_value:
  description: The number of generators.
  type: int
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.division import HEAD_ROOM, DivisionError, calibration_of, check_cells, shard_count

AUTO = "auto"


def generator_shards(
    plan: dict[str, Any], shards: Any, round_vus: bool = False, calibration: dict[str, Any] | None = None, nodes: list[dict[str, Any]] | None = None,
    cores: float = 1, memory_bytes: float = 0, head_room: float = HEAD_ROOM,
) -> int:  # fmt: skip
    """Return the number of generators; raises AnsibleFilterError with a sentence."""
    try:
        if shards != AUTO:
            return _checked(plan, shards, round_vus)
        if not calibration:
            raise DivisionError(
                "Shards auto: no calibration. Measure the matrix calibration with one generator, and give the path of its cell.json as k6_runner_calibration."
            )
        return shard_count(plan["cells"], calibration_of(calibration), nodes or [], float(cores), float(memory_bytes), float(head_room), round_vus)
    except DivisionError as error:
        raise AnsibleFilterError(str(error)) from None


def _checked(plan: dict[str, Any], shards: Any, round_vus: bool) -> int:
    if not str(shards).isdigit() or int(shards) < 1:
        raise DivisionError(f"Shards {shards}: neither a whole number from 1 nor auto. Set k6_runner_shards to one of them.")
    check_cells(plan["cells"], int(shards), round_vus)
    return int(shards)


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"generator_shards": generator_shards}
