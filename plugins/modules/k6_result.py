#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module k6_result: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k6_result
short_description: Turn the output of k6 into samples and the result of a cell
version_added: 0.1.0
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads the raw CSV output, the summary and the log of one k6 attempt.
  - Writes C(samples.csv.gz), one row per request, C(tenants.csv), one row per tenant, C(latencies.csv), how many requests of
    each operation took how long, and C(timeline.csv), one row per second, and returns counts, rates and
    latencies of the measured window in the form of C(cell.json).
  - Where several k6 shared the load (C(shards.json) in O(directory)), their requests are pooled before anything is computed, and the samples are partial unless
    each of them is complete.
  - The samples are read back and compared with the raw file before the raw file is removed.
  - The result is also written as C(k6_result.json) in O(dest). Without the raw file the stored result is returned,
    so that a run that was interrupted afterwards can be resumed.
  - The result of a killed k6 is marked as partial, with the reason.
requirements:
  - numpy
  - scipy
attributes:
  check_mode:
    description: The module is skipped in check mode, since its result needs the files that it writes.
    support: none
  idempotent:
    description: The same raw file gives the same files and the same result.
    support: full
options:
  directory:
    description:
      - Directory of the attempt, with C(raw.csv) or C(raw.csv.gz), C(summary*.json) and C(k6.log).
      - These files of several k6 are in C(shards/<number>), beside C(shards.json).
    type: path
    required: true
  dest:
    description: Directory for C(samples.csv.gz), C(tenants.csv), C(latencies.csv) and C(timeline.csv). It is created when missing.
    type: path
    required: true
  operations:
    description:
      - Operations that the result lists even when they were never sampled.
      - The default is the sixteen operations of the journeys training and browsing.
    type: list
    elements: str
  window_start:
    description:
      - Start of the window in epoch seconds. Needs O(window_end).
      - By default the window is taken from C(k6.log), else from the setup data of the summary.
    type: float
  window_end:
    description: End of the window in epoch seconds. Needs O(window_start).
    type: float
  exit_code:
    description: Exit code of k6, if known. It distinguishes a complete attempt from a partial one.
    type: int
  request_timeout:
    description:
      - Timeout of a request in seconds, as configured for the load. The default is that of k6.
      - A request that timed out before it got a connection is counted with this duration, because k6 writes 0 for it.
    type: float
    default: 60
  apart_tenant:
    description: A tenant, such as a noisy one, without which the requests of the others are summarized as RV(result.others) too.
    type: str
    default: ""
  remove_raw:
    description: Whether to remove the raw file after the samples have been verified.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Repack the samples of an attempt
  perfscale.mlflow.k6_result:
    directory: results/smoke/cells/t5-c10-r1/attempts/1
    dest: results/smoke/cells/t5-c10-r1/attempts/1
    exit_code: 0
    request_timeout: 60
    remove_raw: true
  register: __k6_result

- name: Read k6 output whose window is known
  perfscale.mlflow.k6_result:
    directory: /srv/k6
    dest: /srv/k6/samples
    window_start: 1795474538.3
    window_end: 1795474598.3
"""

RETURN = r"""
result:
  description: The measured part of C(cell.json). Latencies are milliseconds, rates are per second of the window.
  returned: success
  type: dict
  contains:
    window:
      description: Epoch seconds of the window; C(end) is earlier than C(planned_end) when k6 ended before it.
      type: dict
    stopped_after_s:
      description: Seconds of load after which a threshold stopped a hopeless load, else null.
      type: float
    partial:
      description: Whether the samples cover less than the planned load.
      type: bool
    partial_reason:
      description: Why, or null.
      type: str
    operations:
      description: For each operation n, ok, failed, failed_by, rates, latencies, low_n and suppressed percentiles.
      type: dict
    total:
      description: The same over the pooled requests of all operations.
      type: dict
    others:
      description: The same over the pooled requests of all tenants but O(apart_tenant), absent without one.
      type: dict
    categories:
      description: The same over the pooled requests of the categories read, search and write.
      type: dict
    journeys:
      description: Journeys started, completed, interrupted, failed and dropped, and their durations.
      type: dict
    mix:
      description: Actual share of training among virtual users, journeys and requests.
      type: dict
    generator:
      description: Maximum number of virtual users, dropped journeys, iterations and scheduling delay of the generator, inside the window.
      type: dict
    steadiness:
      description: Where the warm-up ended, and the change of P95 and throughput over the window.
      type: dict
    stall_s:
      description: Seconds of the longest stretch of the window in which requests were in flight and none ended.
      type: float
    time_weighted_ms:
      description: P50, P95 and P99 of what a request that arrives at a random instant of the window would have taken.
      type: dict
    tenants:
      description: The tenants with the highest P95 and the highest P50.
      type: dict
    congestion:
      description: How many times longer requests took after the first dropped journey than at the begin of the load, null if unknown.
      type: float
    machine:
      description: What the machine of the generator and the generator itself used in the window, null where it is unknown.
      type: dict
    wrong_answers:
      description: Requests of the window with a successful status whose answer MLflow cannot have given, C(seen), C(by_kind) and C(estimated).
      type: dict
    silent_repeats:
      description: By operation the requests of the window that k6's HTTP client sent a second time.
      type: dict
    sent:
      description:
        - Requests of the whole load, warm-up included, C(n), those C(answered), and those C(repeated) by k6's HTTP client.
        - C(start) and C(end) are those of the first and the last one, in epoch seconds.
      type: dict
    samples:
      description:
        - Rows and bytes of the samples.
        - C(lost), how many requests that k6 counted have no row (null without its summary), and C(unreadable), how many rows cannot be read.
      type: dict
    shards:
      description:
        - Where several k6 shared the load, how many were C(planned), their C(start_skew_s), the figures of each (C(members)), and C(deviations), phrases about
          those that differ from the others beyond chance.
      type: dict
    undersampled:
      description: Required operations with fewer than five samples in the window.
      type: list
      elements: str
    warnings:
      description: Problems of the samples, one sentence each.
      type: list
      elements: str
files:
  description: SHA-256 and size of the files written, by name.
  returned: success
  type: dict
  sample:
    samples.csv.gz:
      bytes: 31337
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result


def argument_spec() -> dict:
    """Return the options of the module."""
    return {
        "directory": {"type": "path", "required": True},
        "dest": {"type": "path", "required": True},
        "operations": {"type": "list", "elements": "str"},
        "window_start": {"type": "float"},
        "window_end": {"type": "float"},
        "exit_code": {"type": "int"},
        "request_timeout": {"type": "float", "default": 60},
        "remove_raw": {"type": "bool", "default": False},
        "apart_tenant": {"type": "str", "default": ""},
    }


def attempt_of(params: dict) -> Attempt:
    """Translate the options."""
    window = None if params["window_start"] is None else (params["window_start"], params["window_end"])
    return Attempt(
        directory=Path(params["directory"]),
        dest=Path(params["dest"]),
        operations=params["operations"] or OPERATIONS,
        window=window,
        exit_code=params["exit_code"],
        timeout_s=params["request_timeout"],
        remove_raw=params["remove_raw"],
        apart=params["apart_tenant"],
    )


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), required_together=[("window_start", "window_end")])
    library = next((name for name in ("numpy", "scipy") if find_spec(name) is None), None)
    if library:
        module.fail_json(msg=missing_required_lib(library))
    try:
        built = build_result(attempt_of(module.params))
    except (K6ResultError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**built)


if __name__ == "__main__":
    main()
