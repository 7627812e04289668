#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_query_info
version_added: 0.1.0
short_description: Run the queries of a metrics profile for a finished window
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Sends each query of a metrics profile once, as an instant query at the end of the window or as a range query over it, by POST.
  - Reads metrics profiles of kube-burner verbatim (C(query), C(metricName), C(instant), C(captureStart), C({{.elapsed}})) and additional keys that define which
    component a series belongs to and which figure it is. C(docs/metrics.md), section Resources, describes the format.
  - Waits until one scrape interval after the end of the window, because the last samples are not available before.
  - No problem is ignored. A required metric without a number, a surplus series, a page instead of a response and a server that cannot be reached
    each fail the module with a sentence. The module still returns what it found and writes the files, in which missing values are shown as missing.
  - An entry with a C(field) or C(optional=false) is required. Any other entry without a result is a warning, as in kube-burner. Warnings and infos of
    Prometheus' answers are warnings of the module and in RV(hints).
requirements:
  - PyYAML, when O(profile) is a path
extends_documentation_fragment:
  - perfscale.mlflow.prometheus_connection
attributes:
  check_mode:
    description: The queries are sent, and no file is written.
    support: full
  diff_mode:
    description: Nothing is changed that could be compared.
    support: none
options:
  tenancy_namespace:
    description:
      - Namespace to which OpenShift's tenancy port (9092) restricts all queries.
      - Components in other namespaces are not queried; their status is V(not_requested).
    type: str
  profile:
    description: The metrics profile, as a list of entries or as the path of a YAML file with such a list.
    type: raw
    required: true
  alert_profile:
    description:
      - An alert profile of kube-burner (C(expr), C(description), C(severity)), as a list or as the path of a YAML file, whose expressions are evaluated
        over the window. An alert whose expression cannot be evaluated is V(unknown), with a warning.
    type: raw
  start:
    description:
      - Start of the window, as epoch seconds, ISO 8601, or C(YYYY-MM-DD HH:MM:SS).
      - Without a zone it is local time of the machine that runs the module.
    type: str
    required: true
  end:
    description: End of the window, in the same forms.
    type: str
    required: true
  load_start:
    description: Start of the load that the window belongs to, in the same forms, for queries with C({{.load_start}}). The default is O(start).
    type: str
  load_end:
    description:
      - When its last request ended, in the same forms. C({{.load_end}}) is one scrape interval later, and no query is sent before that.
      - The default is O(end), for which nothing is waited.
    type: str
  components:
    description:
      - Component names and their selectors. A selector is a dict of label and anchored regular expression, or a string that is the value of the label which the
        profile's entry names in C(component_label).
      - Queries refer to all of them by C({{.selector}}).
    type: dict
    default: {}
  variables:
    description: Further variables for queries, by name; a query refers to one as C({{.name}}).
    type: dict
    default: {}
  scrape_interval:
    description:
      - Seconds between two samples of the monitored targets.
      - Without it, the mean spacing of the samples in the ten minutes before the end of the window, or V(30) where there are too few of them or
        where they cannot be read, which is a warning.
    type: float
  step:
    description: Seconds between two points of a range query. The default is one scrape interval, or more for a window of more than 11,000 of them.
    type: float
  wait_after:
    description: Seconds that must have passed since the end of the window before the first query. The default is one scrape interval.
    type: float
  spacing_s:
    description: Pause between two queries, in seconds.
    type: float
    default: 0
  timeout:
    description: Longest time for one request, in seconds.
    type: float
    default: 30
  retries:
    description: How often a request is repeated after a connection error, 429 or 5xx, with growing pauses.
    type: int
    default: 4
  time_limit:
    description: Longest time for all requests and their repetitions together, in seconds.
    type: float
    default: 120
  csv_file:
    description: File to write in the metrics CSV format of the legacy suite.
    type: path
  csv_header:
    description: Further comment lines of O(csv_file), by name.
    type: dict
    default: {}
  series_file:
    description: File to write the points of all range queries to, with the columns timestamp, metric, component, instance, value.
    type: path
  documents_file:
    description: File to write kube-burner's documents to, as a JSON list.
    type: path
  uuid:
    description: The C(uuid) of the documents.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Get the metrics of a window of a local stack
  perfscale.mlflow.prometheus_query_info:
    url: http://127.0.0.1:9090
    profile: files/metrics_profiles/local.yml
    start: '2026-11-23 18:11:36'
    end: '2026-11-23 18:12:19'
    scrape_interval: 1
    components:
      mlflow: mlflow
      k6_benchmark: k6_benchmark
    series_file: /tmp/series.csv
  register: measured

- name: Send one query with a token
  perfscale.mlflow.prometheus_query_info:
    url: https://prometheus.example.com
    token_file: /run/secrets/token
    start: 1795457496
    end: 1795457539
    profile:
      - metricName: targets_up
        query: count(up == 1)
        instant: true
        shape: vector
        series_max: 1
"""

RETURN = r"""
resources:
  description: Figures by component; missing figures are null.
  returned: always, also on failure
  type: dict
  sample:
    mlflow:
      status: ok
      cpu_cores_mean: 0.92
      cpu_cores_peak: 1.31
      memory_bytes_mean: 412000000.0
      memory_bytes_peak: 431000000.0
      coverage: 1.0
      restarts: 0.0
      oom_kills: null
      throttled_ratio: null
      instance_count_min: 3.0
      instance_count_max: 3.0
      instance_count_last: 3.0
      limits: {}
      instances: {}
metrics:
  description:
    - One item for each entry of the profile, with the query as it was sent, the status (V(ok) or V(missing)) and the returned series.
    - A series has its labels, component, instance, and value (instant) or mean, min, max and last over the window (range).
    - With C(captureStart) it has start besides. A series that is gone at the end has no value, and one that came later no start.
  returned: always, also on failure
  type: list
  elements: dict
alerts:
  description:
    - One entry for each alert of O(alert_profile), with C(name), C(expr), C(severity), C(status) (V(fired), V(quiet), V(unknown)), C(series), the number of
      series that fired, C(fired), the first of them with C(at), C(value) and C(text), and C(reason), why an alert is unknown.
  returned: always, also on failure
  type: list
  elements: dict
requests:
  description: Number of queries, without repetitions.
  returned: always, also on failure
  type: int
scrape_interval:
  description: Seconds between two samples, as given or as found; null when it was not looked for.
  returned: always, also on failure
  type: float
window:
  description: The window as epoch seconds.
  returned: always, also on failure
  type: dict
  sample: {start: 1795457496.0, end: 1795457539.0}
clock_offset_s:
  description: Clock of the server minus ours, in seconds, to half a second; null when it sends no date.
  returned: always, also on failure
  type: float
hints:
  description: What Prometheus' answers said beside their results, its warnings and infos, each once.
  returned: always, also on failure
  type: list
  elements: str
errors:
  description: One sentence per problem. The module fails when there is one.
  returned: always, also on failure
  type: list
  elements: str
files:
  description: The files that were written.
  returned: always, also on failure
  type: list
  elements: str
"""

import time
import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, write_json, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import URLLIB3_ERROR
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alert_profile import load_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alerts import evaluate_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusError, client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import (
    Collection,
    Request,
    TemplateError,
    WindowError,
    collect,
    parse_window,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import documents, series_csv, summary_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import observed_interval
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import ProfileError, load_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import blank, not_requested
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import SelectorError, outside

try:
    import yaml  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    YAML_ERROR = traceback.format_exc()
else:
    YAML_ERROR = None

# Of a Prometheus that shows too few samples: its own default is 60 s, and monitoring stacks of clusters scrape every 30 s.
DEFAULT_INTERVAL_S = 30.0


def argument_spec():
    """Return the argument spec of the module."""
    return {
        **connection_spec(),
        "tenancy_namespace": {"type": "str"},
        "profile": {"type": "raw", "required": True},
        "alert_profile": {"type": "raw"},
        "start": {"type": "str", "required": True},
        "end": {"type": "str", "required": True},
        "load_start": {"type": "str"},
        "load_end": {"type": "str"},
        "components": {"type": "dict", "default": {}},
        "variables": {"type": "dict", "default": {}},
        "scrape_interval": {"type": "float"},
        "step": {"type": "float"},
        "wait_after": {"type": "float"},
        "spacing_s": {"type": "float", "default": 0},
        "timeout": {"type": "float", "default": 30},
        "retries": {"type": "int", "default": 4},
        "time_limit": {"type": "float", "default": 120},
        "csv_file": {"type": "path"},
        "csv_header": {"type": "dict", "default": {}},
        "series_file": {"type": "path"},
        "documents_file": {"type": "path"},
        "uuid": {"type": "str", "default": ""},
    }


def check_numbers(params):
    """Raise WindowError for a number that must be positive and is not."""
    for name in ("scrape_interval", "step", "timeout", "time_limit"):
        if params[name] is not None and params[name] <= 0:
            raise WindowError(f"Option {name} {params[name]:g}: not positive. Give seconds above 0.")
    for name in ("wait_after", "spacing_s", "retries"):
        if params[name] is not None and params[name] < 0:
            raise WindowError(f"Option {name} {params[name]:g}: negative. Give 0 or more.")


def find_interval(params, client, components, end):
    """Return the scrape interval in seconds, as given or as found, and the warnings about it. Raises PrometheusError for what every query would meet."""
    if params["scrape_interval"]:
        return params["scrape_interval"], []
    try:
        return observed_interval(client, components, end) or DEFAULT_INTERVAL_S, []
    except (PrometheusError, ResponseError) as error:
        if isinstance(error, PrometheusError) and error.final:
            raise
        cause = str(error).split(". ", maxsplit=1)[0]
        return DEFAULT_INTERVAL_S, [
            f"Scrape interval: not found, so samples every {DEFAULT_INTERVAL_S:g} s are assumed ({cause}). Give the interval (monitoring_scrape_interval_s)."
        ]


def write_files(params, found, request):
    """Write the requested files and return their paths. Raises FileWriteError."""
    window = request.window
    texts = {
        "series_file": lambda: series_csv(found.measurements),
        "csv_file": lambda: summary_csv(found.resources, found.measurements, params["csv_header"], window, time.time()),
    }
    written = []
    for option, text in texts.items():
        if params[option]:
            write_text(params[option], text())
            written.append(params[option])
    if params["documents_file"]:
        write_json(params["documents_file"], documents(found.measurements, window, params["uuid"]))
        written.append(params["documents_file"])
    return written


def main(create_module=AnsibleModule):
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    if URLLIB3_ERROR:
        module.fail_json(msg=missing_required_lib("urllib3"), exception=URLLIB3_ERROR)
    if YAML_ERROR and isinstance(params["profile"], str):
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=YAML_ERROR)
    found, client, files, interval_s = Collection([], {}, [], []), None, [], params["scrape_interval"]
    alerts = []
    left_out = outside(params["components"], params["tenancy_namespace"]) if params["tenancy_namespace"] else []
    try:
        check_numbers(params)
        entries, window = load_profile(params["profile"]), parse_window(params["start"], params["end"], time.time())
        wanted = load_alerts(params["alert_profile"])
        components = {name: selector for name, selector in params["components"].items() if name not in left_out}
        client = client_from(params)
        interval_s, notes = find_interval(params, client, components, window.end)
        request = Request(
            entries=entries,
            components=components,
            window=window,
            scrape_interval=interval_s,
            step=params["step"],
            variables=params["variables"],
            load=parse_window(params["load_start"], params["load_end"], time.time()) if params["load_start"] and params["load_end"] else None,
        )
        wait_after = interval_s if params["wait_after"] is None else params["wait_after"]
        found = collect(request, client, wait_after, params["spacing_s"])
        alerts = evaluate_alerts(wanted, request, client)
        found.warnings += notes + [f"Alert {alert['name']}: not evaluated. {alert['reason']}" for alert in alerts if alert["reason"]]
        found.resources.update(not_requested(left_out))
        if not module.check_mode:
            files = write_files(params, found, request)
    except (WindowError, ProfileError, TemplateError, SelectorError, ResponseError, PrometheusError, FileWriteError) as error:
        found.errors.append(str(error))
    result = {
        "changed": bool(files),
        "resources": found.resources or {component: blank("missing") for component in params["components"]},
        "metrics": [measurement.describe() for measurement in found.measurements],
        "alerts": alerts,
        "requests": client.requests if client else 0,
        "window": {"start": window.start, "end": window.end} if client else {},
        "scrape_interval": interval_s,
        "clock_offset_s": client.clock_offset_s if client else None,
        "hints": client.warnings if client else [],
        "errors": found.errors,
        "files": files,
    }
    for warning in found.warnings:
        module.warn(warning)
    if found.errors:
        module.fail_json(msg=" ".join(found.errors), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
