# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: create or delete the pod of the load generator."""

from __future__ import annotations

DOCUMENTATION = r"""
module: generator_pod
version_added: 0.2.0
short_description: Create or delete the pod of the load generator
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Creates a pod that waits for loads, with the scripts of k6 in a ConfigMap under C(/scripts), a Secret for tokens and the CA bundle,
    and a volume for the output. It runs under the restricted security standard and with any user id.
  - Waits until it runs, and checks that it has k6 and the same scripts. A pod of this collection with other settings is replaced, unless k6 runs in it.
  - Only objects with the label of this collection are changed or deleted.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and asks the API server what would change.
    support: full
options:
  state:
    description: Whether the pod has to exist.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the pod. ConfigMap, Secret, PersistentVolumeClaim and NetworkPolicy are named after it.
    type: str
    required: true
  namespace:
    description: Namespace of the pod, created when it is missing.
    type: str
    required: true
  run_id:
    description: The run that creates the objects.
    type: str
    required: true
  scripts:
    description: Directory of the scripts, required with O(state=present).
    type: path
  image:
    description: Image with C(k6), a POSIX shell and the usual tools, required with O(state=present).
    type: str
  image_pull_policy:
    description: When the image is pulled.
    type: str
    choices: [Always, IfNotPresent, Never]
    default: IfNotPresent
  image_pull_secrets:
    description: Names of Secrets that may pull the image.
    type: list
    elements: str
    default: []
  resources:
    description: Requests and limits of the container.
    type: dict
    default: {}
  run_as_user:
    description: User id, where the image names its user by name only.
    type: int
  fs_group:
    description: Group that owns the volumes, where a PersistentVolumeClaim would not be writable otherwise.
    type: int
  volume:
    description: Where the output is stored, on the node's disk or in a PersistentVolumeClaim.
    type: str
    choices: [empty_dir, claim]
    default: empty_dir
  volume_size:
    description: Size of the volume, as a Kubernetes quantity.
    type: str
    default: 8Gi
  storage_class:
    description: Storage class of the PersistentVolumeClaim; the cluster's default when left out.
    type: str
  avoid:
    description: Components whose nodes the pod avoids.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the component in reports.
        type: str
        required: true
      labels:
        description: Labels of its pods.
        type: dict
        required: true
      namespaces:
        description: Where its pods are; all namespaces when empty.
        type: list
        elements: str
        default: []
  avoid_required:
    description: Whether the pod stays pending rather than share a node with one of them.
    type: bool
    default: false
  node_selector:
    description: Labels of nodes that may run the pod.
    type: dict
    default: {}
  tolerations:
    description: Taints of nodes that the pod tolerates.
    type: list
    elements: dict
    default: []
  network_policy:
    description: Whether NetworkPolicies deny all connections to the pod, and all but those of the operator to runners.
    type: bool
    default: false
  mlflow_url:
    description: URL that scripts use when they are run by hand in the pod.
    type: str
  proxy:
    description:
      - URL of the proxy through which k6 in the pod reaches MLflow, without user information. An empty text is none.
      - Neither the proxies of the controller nor those that a cluster sets for its pods count.
    type: str
    default: ''
    version_added: 0.2.0
  token_file:
    description: File of the controller with the bearer token.
    type: path
  token_map_file:
    description: File of the controller with a bearer token per tenant, as JSON.
    type: path
  ca_file:
    description: CA bundle in PEM format that k6 trusts instead of the image's.
    type: path
  shards:
    description:
      - Runners of the k6-operator among which loads are divided, each with the image, resources, volume and placement of the pod. The pod then does
        what is not divided. Without it the pod does everything.
    type: int
    version_added: 0.2.0
  operator:
    description: What only runners of the k6-operator have.
    type: dict
    default: {}
    version_added: 0.2.0
    suboptions:
      namespace:
        description: Namespace of the operator, which O(network_policy) admits to the runners.
        type: str
        default: k6-operator-system
      starter_image:
        description: Image of the operator's starter, with a shell and C(curl). Empty means O(image).
        type: str
        default: ''
      spread:
        description:
          - V(even) has about as many runners on each node where that is possible, V(separate) at most one on each, V(none) as the scheduler likes.
        type: str
        choices: [none, even, separate]
        default: even
      round_vus:
        description: Whether virtual users that O(shards) does not divide are rounded up; they are an error otherwise.
        type: bool
        default: false
      start_margin_s:
        description: Seconds from the creation of a load until all runners begin with it; they wait for each other.
        type: float
        default: 30
      hold_s:
        description: Seconds for which a runner keeps its files when no controller fetches them.
        type: int
        default: 86400
  timeout:
    description: Seconds that the pod may take to start, or to be deleted.
    type: float
    default: 180
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Create the load generator pod
  perfscale.mlflow.generator_pod:
    name: k6-benchmark
    namespace: opendatahub
    run_id: run-1
    scripts: /collection/files/k6
    image: docker.io/grafana/k6:1.8.1
    resources:
      requests: {cpu: "1", memory: 2Gi}
      limits: {cpu: "1", memory: 2Gi}
    avoid:
      - name: mlflow
        labels: {app: mlflow}
"""

RETURN = r"""
generator:
  description:
    - The generator as in C(target.json), with the keys kind, namespace, pod, image, version (of k6), cores, memory_limit_bytes, node, secret, proxy (null for
      none) and shares_node_with (names of O(avoid) that are known to have a pod on the same node; null when too few pods may be listed to know).
    - With O(shards) also shards and runner (what each runner is created with); cores are those of all runners.
    - Empty with O(state=absent) and in check mode.
  returned: success
  type: dict
stays:
  description: Objects that still exist after O(timeout), each with C(object) and C(why).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import configured_proxy
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_lifecycle import absent, present
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_manifests import scripts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_secret import read_files
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    avoid = {
        "name": {"type": "str", "required": True},
        "labels": {"type": "dict", "required": True},
        "namespaces": {"type": "list", "elements": "str", "default": []},
    }
    operator = {
        "namespace": {"type": "str", "default": "k6-operator-system"},
        "starter_image": {"type": "str", "default": ""},
        "spread": {"type": "str", "choices": ["none", "even", "separate"], "default": "even"},
        "round_vus": {"type": "bool", "default": False},
        "start_margin_s": {"type": "float", "default": 30},
        "hold_s": {"type": "int", "default": 86400},
    }
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "run_id": {"type": "str", "required": True},
        "scripts": {"type": "path"},
        "image": {"type": "str"},
        "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"], "default": "IfNotPresent"},
        "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "resources": {"type": "dict", "default": {}},
        "run_as_user": {"type": "int"},
        "fs_group": {"type": "int"},
        "volume": {"type": "str", "choices": ["empty_dir", "claim"], "default": "empty_dir"},
        "volume_size": {"type": "str", "default": "8Gi"},
        "storage_class": {"type": "str"},
        "avoid": {"type": "list", "elements": "dict", "default": [], "options": avoid},
        "avoid_required": {"type": "bool", "default": False},
        "node_selector": {"type": "dict", "default": {}},
        "tolerations": {"type": "list", "elements": "dict", "default": []},
        "network_policy": {"type": "bool", "default": False},
        "mlflow_url": {"type": "str"},
        "proxy": {"type": "str", "default": ""},
        "shards": {"type": "int"},
        "operator": {"type": "dict", "default": {}, "options": operator},
        "token_file": {"type": "path", "no_log": False},
        "token_map_file": {"type": "path", "no_log": False},
        "ca_file": {"type": "path"},
        "timeout": {"type": "float", "default": 180},
    }


def run(params, check_mode):
    """Return the module's result for its options. Raises ClusterError and ValueError."""
    settings = {**params, "timeout_s": params["timeout"], "proxy": configured_proxy(params["proxy"], "Proxy of the load generator pod")}
    cluster = cluster_from(params)
    if params["state"] == "absent":
        return {**absent(cluster, settings, check_mode), "generator": {}}
    secrets = read_files(params["token_file"], params["token_map_file"], params["ca_file"])
    return {**present(cluster, settings, scripts(params["scripts"]), secrets, check_mode), "stays": []}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), required_if=[("state", "present", ["scripts", "image"])], supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, module.check_mode)
    except (ClusterError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
