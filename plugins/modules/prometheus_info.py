#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return whether the Prometheus of a cluster responds, how often it samples, and which components it sees."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_info
version_added: 0.2.0
short_description: Get the sampling interval of a cluster's Prometheus and the components it sees
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Sends at most three queries about the containers of the last ten minutes.
  - The interval between samples determines the range of rates, the expected number of samples, and how long to wait after a window. It is measured
    rather than read from a configuration, since the kubelet samples containers less often than a short scrape interval.
extends_documentation_fragment:
  - perfscale.mlflow.prometheus_connection
attributes:
  check_mode:
    description: Only reads, in check mode too.
    support: full
  diff_mode:
    description: Nothing is changed that could be compared.
    support: none
options:
  tenancy_namespace:
    description: Namespace to which OpenShift's tenancy port (9092) restricts all queries. Components that live elsewhere are left out.
    type: str
  components:
    description: Component names and their selectors, each a dict of label and anchored regular expression.
    type: dict
    default: {}
  optional:
    description: Names of those components that are left out when Prometheus does not see them.
    type: list
    elements: str
    default: []
  scrape_interval:
    description: Seconds between two samples, if they are known.
    type: float
  earlier_scrape_interval:
    description: Seconds between two samples that an earlier call found. They are used unless the interval seen now differs by more than a fifth.
    type: float
  timeout:
    description: Longest time for one request, in seconds.
    type: float
    default: 10
  retries:
    description: How often a request is repeated after a connection error, 429 or 5xx, with growing pauses.
    type: int
    default: 2
  time_limit:
    description: Longest time for all requests and their repetitions together, in seconds.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Get the scrape interval and the components
  perfscale.mlflow.prometheus_info:
    url: https://thanos-querier.openshift-monitoring.svc:9091
    token_file: /run/secrets/token
    components:
      mlflow:
        namespace: opendatahub
        pod: mlflow-.*
        container: mlflow
      router:
        namespace: openshift-ingress
        pod: router-default-.*
    optional: [router]
"""

RETURN = r"""
scrape_interval_s:
  description: Seconds between two samples, from O(scrape_interval), else from O(earlier_scrape_interval) if this call confirms it, else as measured, else 30.
  returned: success
  type: float
  sample: 30.0
spacing_s:
  description: Mean seconds between two samples as measured, null when there were too few.
  returned: success
  type: float
  sample: 30.0
components:
  description: The components without optional ones that Prometheus does not see.
  returned: success
  type: dict
absent:
  description: Names of the components that Prometheus has no sample of, optional or not.
  returned: success
  type: list
  elements: str
clock_offset_s:
  description: Clock of the server minus ours, in seconds, to half a second; null when it sends no date.
  returned: success
  type: float
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import URLLIB3_ERROR
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusError, client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import drop_unseen, probe, settled
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import SelectorError, outside

DEFAULT_INTERVAL_S = 30.0


def argument_spec():
    """Return the argument spec of the module."""
    return {
        **connection_spec(),
        "tenancy_namespace": {"type": "str"},
        "components": {"type": "dict", "default": {}},
        "optional": {"type": "list", "elements": "str", "default": []},
        "scrape_interval": {"type": "float"},
        "earlier_scrape_interval": {"type": "float"},
        "timeout": {"type": "float", "default": 10},
        "retries": {"type": "int", "default": 2},
        "time_limit": {"type": "float", "default": 30},
    }


def main(create_module=AnsibleModule):
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if URLLIB3_ERROR:
        module.fail_json(msg=missing_required_lib("urllib3"), exception=URLLIB3_ERROR)
    params = module.params
    elsewhere = outside(params["components"], params["tenancy_namespace"]) if params["tenancy_namespace"] else []
    components = {name: selector for name, selector in params["components"].items() if name not in elsewhere}
    try:
        client = client_from(params)
        found = probe(client, components, time.time())
    except (PrometheusError, ResponseError, SelectorError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        scrape_interval_s=params["scrape_interval"] or settled(found.spacing_s, params["earlier_scrape_interval"]) or DEFAULT_INTERVAL_S,
        spacing_s=found.spacing_s,
        components=drop_unseen(components, params["optional"], found.seen),
        absent=[name for name in components if name not in found.seen],
        clock_offset_s=client.clock_offset_s,
    )


if __name__ == "__main__":
    main()
