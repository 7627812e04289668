# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin k6_wait."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k6_wait
version_added: 0.1.0
short_description: Wait for a running k6 and print its progress
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Waits until the generator has ended and prints a line of progress every O(interval_s) seconds.
  - This is one task for the whole load, because modules cannot print and a task that is repeated every second costs a third of a core.
  - Reads only what k6 has appended to its raw output since the last line.
  - When the time limit is reached the generator is stopped and the task fails.
  - It tolerates an API server that does not respond until then, since a load in a pod does not need it.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Skipped in check mode.
    support: none
options:
  directory:
    description: The directory of the attempt.
    type: path
    required: true
  kind:
    description: The C(generator.kind) of C(target.json), V(process), V(pod) or V(k6_operator).
    type: str
    required: true
  handle:
    description: The handle that M(perfscale.mlflow.k6_load) returned.
    type: dict
    required: true
  expected_s:
    description: Planned duration of the load in seconds, for the remaining time; 0 when unknown.
    type: float
    default: 0
  time_limit_s:
    description: Seconds after which the generator is stopped.
    type: float
    required: true
  interval_s:
    description: Seconds between two lines of progress.
    type: float
    default: 10
  label:
    description: Beginning of the line, such as C(cell 2 of 4 t1-c10-r1).
    type: str
    required: true
  remaining_s:
    description: Load of the run that follows this one, in seconds.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Wait for the load
  perfscale.mlflow.k6_wait:
    directory: /results/run-1/cells/t1-c5-r1/attempts/1
    kind: "{{ target.generator.kind }}"
    handle: "{{ started.attempt.handle }}"
    expected_s: 25
    time_limit_s: 120
    label: cell 1 of 4 t1-c5-r1
"""

RETURN = r"""
load:
  description:
    - How the load ended, with the keys exit (exit_code, cpu_seconds, max_rss_bytes, started, ended), is_late, note, requests, failures, seconds
      and controller_cpu_cores.
  returned: always
  type: dict
retry:
  description: Whether the load failed because its generator was lost, so that it may be retried on another one.
  returned: always
  type: bool
"""
