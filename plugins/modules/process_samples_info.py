#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the resources of components in a finished window, from the samples of the local stack's sampler."""

from __future__ import annotations

DOCUMENTATION = r"""
module: process_samples_info
version_added: 0.2.0
short_description: Measure the resources of components in a finished window, without Prometheus
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads what the sampler of the local stack wrote and returns the same figures, in the same form, as M(perfscale.mlflow.prometheus_query_info)
    does for the metrics profile C(local).
  - Waits until one interval after the end of the window, because the last sample is not there before.
options:
  samples_file:
    description: File that the sampler writes.
    type: path
    required: true
  start:
    description: Start of the window, as for M(perfscale.mlflow.prometheus_query_info).
    type: str
    required: true
  end:
    description: End of the window.
    type: str
    required: true
  components:
    description: Component names and the groups of processes that they are.
    type: dict
    default: {}
  interval:
    description: Seconds between two samples.
    type: float
    default: 1
  csv_file:
    description: Where to write the legacy suite's metrics CSV.
    type: path
  csv_header:
    description: Comment lines to add to O(csv_file), by name.
    type: dict
    default: {}
  series_file:
    description: File to write all points to, with the columns timestamp, metric, component, instance, value.
    type: path
attributes:
  check_mode:
    description: The samples are read, and no file is written.
    support: full
"""

EXAMPLES = r"""
- name: Measure a window of a local stack
  perfscale.mlflow.process_samples_info:
    samples_file: .perfscale/local_stack/sampler/samples.csv
    start: '2026-11-23 18:11:36'
    end: '2026-11-23 18:12:19'
    components:
      mlflow: mlflow
      k6_benchmark: k6_benchmark
  register: measured
"""

RETURN = r"""
resources:
  description: Figures by component, as M(perfscale.mlflow.prometheus_query_info) returns them, with C(source) V(sampler).
  returned: always, also on failure
  type: dict
metrics:
  description: One item for each metric, with its status and series.
  returned: always, also on failure
  type: list
  elements: dict
warnings:
  description: What is not certain about the figures.
  returned: when there is something
  type: list
  elements: str
errors:
  description: Sentences about missing figures or a missing file, with which the module fails.
  returned: always, also on failure
  type: list
  elements: str
files:
  description: Paths of what was written.
  returned: always, also on failure
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.samples import LOOKBACK_S, SamplesError, measurements, read_samples
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import WindowError, parse_window, remaining_wait
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import series_csv, summary_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import blank, resources


def argument_spec():
    """Return the module's arguments."""
    return {
        "samples_file": {"type": "path", "required": True},
        "start": {"type": "str", "required": True},
        "end": {"type": "str", "required": True},
        "components": {"type": "dict", "default": {}},
        "interval": {"type": "float", "default": 1},
        "csv_file": {"type": "path"},
        "csv_header": {"type": "dict", "default": {}},
        "series_file": {"type": "path"},
    }


def write_files(params, found, filled, window):
    """Write the requested files and return their paths. Raises FileWriteError."""
    texts = {
        "series_file": lambda: series_csv(found),
        "csv_file": lambda: summary_csv(filled, found, params["csv_header"], window, time.time()),
    }
    wanted = [option for option in texts if params[option]]
    for option in wanted:
        write_text(params[option], texts[option]())
    return [params[option] for option in wanted]


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    found, files, warnings = [], [], []
    filled = {component: blank("missing") for component in params["components"]}
    try:
        window = parse_window(params["start"], params["end"], time.time())
        time.sleep(remaining_wait(window, params["interval"], time.time()))
        samples = read_samples(params["samples_file"], window.start - LOOKBACK_S, window.end + LOOKBACK_S)
        found = measurements(samples, params["components"], window, params["interval"])
        filled, errors, warnings = resources(params["components"], found, window.seconds / params["interval"])
        if not module.check_mode:
            files = write_files(params, found, filled, window)
    except (WindowError, SamplesError, FileWriteError) as error:
        errors = [str(error)]
    result = {
        "changed": bool(files),
        "resources": {component: {**record, "source": "sampler"} for component, record in filled.items()},
        "metrics": [measurement.describe() for measurement in found],
        "errors": errors,
        "files": files,
    }
    for warning in warnings:
        module.warn(warning)
    if errors:
        module.fail_json(msg=" ".join(errors), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
