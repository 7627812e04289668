#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return everything in a cluster that would stop a run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_preflight_info
short_description: Get everything in a cluster that would stop a run
version_added: 0.2.0
description:
  - Finds every problem at once and changes nothing. A cluster that does not respond, or denies the login, ends the search.
  - Each further check runs only when its option is given. It takes at most half a minute.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.prometheus_connection.address
attributes:
  check_mode:
    description: Only reads.
    support: full
options:
  oldest_version:
    description: Oldest supported version of Kubernetes, such as V(1.28). Empty accepts any.
    type: str
    default: ''
  clock_limit:
    description: Seconds by which the clocks of the API server and of this host may differ.
    type: float
    default: 10.0
  rbac_file:
    description: RBAC file with the roles whose rules the user has to be allowed.
    type: path
  rbac_parts:
    description: The parts of the run whose roles are checked. Empty means all of the file.
    type: list
    elements: str
    default: []
  namespaces:
    description: The namespaces of this run by the names that the annotations of the RBAC file use (C(generator), C(mlflow)).
    type: dict
    default: {}
  crds:
    description: Custom resource definitions that have to exist.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Plural and group, such as C(mlflows.mlflow.opendatahub.io).
        type: str
        required: true
      version:
        description: Version that has to be served.
        type: str
        required: true
      fields:
        description: Fields that it has to have, as dotted paths such as C(spec.backendStoreUri).
        type: list
        elements: str
        default: []
      remedy:
        description: What to do without it, as a sentence.
        type: str
        required: true
  storage_class:
    description: Storage class that has to exist. An empty text means a default one. Omit it when no volume is needed.
    type: str
  image_pull_secrets:
    description: Secrets with logins for registries that have to exist.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Their namespace.
        type: str
        required: true
      name:
        description: Their name.
        type: str
        required: true
  token:
    description: Tokens that the API server must not shorten.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the service accounts.
        type: str
        required: true
      names:
        description: Service accounts, of which the first existing one is used.
        type: list
        elements: str
        required: true
      seconds:
        description: The longest lifetime that the run will request.
        type: int
        required: true
  runners:
    description: Runners of the k6-operator, for which quotas and nodes must have room, and which network policies must not cut off.
    type: dict
    version_added: 0.2.0
    suboptions:
      namespace:
        description: Their namespace.
        type: str
        required: true
      operator_namespace:
        description: Namespace of the operator.
        type: str
        required: true
      shards:
        description: How many there are.
        type: int
        required: true
      spread:
        description: V(separate) has at most one on each node.
        type: str
        choices: [none, even, separate]
        default: even
      resources:
        description: Requests and limits of each.
        type: dict
        default: {}
      node_selector:
        description: Labels of nodes that may run them.
        type: dict
        default: {}
  window:
    description: The shortest window of the run, which must not be too short for the spacing of samples.
    type: dict
    suboptions:
      seconds:
        description: Its length.
        type: float
        required: true
      scrape_interval_s:
        description: Seconds between two samples. Without it they are measured, where O(prometheus) is given.
        type: float
  lease:
    description: Reports the run that holds the cluster, if it is another one.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the Lease, the load generator's.
        type: str
        required: true
      run_id:
        description: The run that is to start. Empty when it has no id yet.
        type: str
        default: ''
requirements:
  - kubernetes
  - packaging
  - PyYAML
"""

EXAMPLES = r"""
- name: Find problems
  perfscale.mlflow.cluster_preflight_info:
    rbac_file: files/kubernetes/rbac.yml
    namespaces:
      generator: opendatahub
      mlflow: opendatahub
    crds:
      - name: mlflows.mlflow.opendatahub.io
        version: v1
        fields: [spec.backendStoreUri]
        remedy: Install the MLflow operator.
    storage_class: ''
  register: cluster
"""

RETURN = r"""
problems:
  description: One sentence per problem, with its remedy.
  returned: always
  type: list
  elements: str
checks:
  description: Number of checks, 0 when the cluster does not respond.
  returned: always
  type: int
facts:
  description: C(version) of Kubernetes, name of the C(user) and C(clock_offset_s) of the API server; empty when it does not respond.
  returned: always
  type: dict
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import manifests, preflight
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.runner_preflight import runner_problems
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.preflight import prometheus_problems, sample_spacing_s
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import connection_spec as prometheus_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import window_problems, window_warnings

try:
    # The roles use modules of this collection; without it a run would fail in the middle. Our own modules do not need it.
    from ansible_collections.kubernetes.core.plugins.module_utils import version as _core  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    CORE_ERROR = traceback.format_exc()
else:
    CORE_ERROR = None

PARALLELISM = 16
CORE_MISSING = (
    "Collection kubernetes.core: not installed. Let the controller install what the project's requirements.yml names (an organization of AWX "
    "needs a Galaxy credential for that), or use an execution environment that has it (execution-environment.yml)."
)


def argument_spec():
    """Return the module's options."""
    text = {"type": "str", "required": True}
    runners = {
        "namespace": text,
        "operator_namespace": text,
        "shards": {"type": "int", "required": True},
        "spread": {"type": "str", "choices": ["none", "even", "separate"], "default": "even"},
        "resources": {"type": "dict", "default": {}},
        "node_selector": {"type": "dict", "default": {}},
    }
    return {
        **connection_spec(),
        "oldest_version": {"type": "str", "default": ""},
        "clock_limit": {"type": "float", "default": 10.0},
        "rbac_file": {"type": "path"},
        "rbac_parts": {"type": "list", "elements": "str", "default": []},
        "namespaces": {"type": "dict", "default": {}},
        "crds": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": text, "version": text, "fields": {"type": "list", "elements": "str", "default": []}, "remedy": text},
        },
        "storage_class": {"type": "str"},
        "image_pull_secrets": {"type": "list", "elements": "dict", "default": [], "no_log": False, "options": {"namespace": text, "name": text}},
        "token": {
            "type": "dict",
            "no_log": False,  # its lifetime, not the token
            "options": {"namespace": text, "names": {"type": "list", "elements": "str", "required": True}, "seconds": {"type": "int", "required": True}},
        },
        "runners": {"type": "dict", "options": runners},
        "window": {"type": "dict", "options": {"seconds": {"type": "float", "required": True}, "scrape_interval_s": {"type": "float"}}},
        "lease": {"type": "dict", "options": {"namespace": text, "run_id": {"type": "str", "default": ""}}},
        "prometheus": {"type": "dict", "options": prometheus_spec()},
    }


def inspect(options, cluster):
    """Return (problems, facts) of a cluster, as far as the options request."""
    try:
        facts = preflight.cluster_facts(cluster)
    except ClusterError as error:
        return [str(error)], {}

    def permissions():
        if not options["rbac_file"]:
            return []
        roles = manifests.read([options["rbac_file"]], str)
        required = preflight.granted_permissions(roles, options["namespaces"], options["rbac_parts"] or None)
        remedy = f"Let an administrator apply {options['rbac_file']} (docs/kubernetes_permissions.md), or log in as a user who has them."
        return preflight.permission_problems(cluster, facts["user"], required, remedy, PARALLELISM)

    checks = [
        lambda: preflight.version_problems(facts["version"], options["oldest_version"]),
        lambda: preflight.clock_problems(facts["clock_offset_s"], options["clock_limit"]),
        lambda: preflight.crd_problems(cluster, options["crds"]),
        lambda: preflight.storage_problems(cluster, options["storage_class"]),
        lambda: preflight.pull_secret_problems(cluster, options["image_pull_secrets"]),
        lambda: runner_problems(cluster, options["runners"], **preflight.BRIEFLY) if options["runners"] else [],
        lambda: preflight.token_problems(cluster, **options["token"]) if options["token"] else [],
        lambda: preflight.lease_problems(cluster, **options["lease"]) if options["lease"] else [],
        lambda: prometheus_problems(options["prometheus"]) if options["prometheus"] else [],
        lambda: window_problems(**window_of(options)) if options["window"] else [],
    ]
    return preflight.problems_of(checks, permissions), facts


def window_of(options):
    """Return {seconds, scrape_interval_s} of the shortest window; the interval is measured where none is given."""
    window = options["window"]
    if window["scrape_interval_s"] is None and options["prometheus"]:
        window["scrape_interval_s"] = sample_spacing_s(options["prometheus"])
    return window


def count(options):
    """Return how many checks the options request, with the one for a connection: each CRD and pull secret is one."""
    named = ("oldest_version", "clock_limit", "rbac_file", "storage_class", "runners", "token", "lease", "prometheus", "window")
    return 1 + sum(bool(options[name]) for name in named) + len(options["crds"]) + len(options["image_pull_secrets"])


def run(options):
    """Return the module's result for its options."""
    try:
        cluster = cluster_from(options, PARALLELISM)
    except ClusterError as error:
        return {"changed": False, "problems": [str(error)], "checks": 0, "facts": {}}
    try:
        problems, facts = inspect(options, cluster)
    finally:
        cluster.close()
    return {"changed": False, "problems": problems, "checks": count(options) if facts else 0, "facts": facts}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if CORE_ERROR:
        module.fail_json(msg=CORE_MISSING, exception=CORE_ERROR)
    for library, error in ((LIBRARIES, MISSING), ("packaging", preflight.PACKAGING_ERROR), ("PyYAML", manifests.YAML_ERROR)):
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)
    result = run(module.params)
    for warning in window_warnings(**module.params["window"]) if module.params["window"] else []:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
