# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: starts k6 in the generator's pod, fetches what it left, or stops it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k6_pod
version_added: 0.2.0
short_description: Start k6 in the generator's pod, fetch what it left, or stop it
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - The pod backend of the role P(perfscale.mlflow.k6_runner#role). The load outlives its controller, its connection and the API server.
  - A second start of the same plan attaches to a running k6, or uses one that ended well while no controller watched.
  - Each start has a directory of its own below C(attempts), as with M(perfscale.mlflow.k6_process); C(state.json) says which pod runs the latest.
  - The token and the certificate authorities reach the pod through its Secret, whose new content is seen in the pod before the load starts.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
options:
  state:
    description:
      - V(started) starts the load or attaches to it.
      - V(fetched) brings the files of a load that has ended to the controller, verified by checksum, and removes them in the pod.
      - V(stopped) stops the load and fetches what there is.
    type: str
    choices: [started, fetched, stopped]
    default: started
  directory:
    description:
      - Where C(state.json) and the attempts lie on the controller.
      - With O(state=stopped) also the directory of a run, whose every load is stopped.
    type: path
    required: true
  generator:
    description: The generator of C(target.json), required with O(state=started).
    type: dict
  script:
    description: Name of the script of k6, required with O(state=started).
    type: str
  config:
    description: The configuration of the script, without secrets; it names files of the controller that hold tokens.
    type: dict
    default: {}
  config_schema:
    description: Name of the schema that the configuration has to follow, without its ending; not checked when left out.
    type: str
  ca_file:
    description: PEM bundle of the certificate authorities that k6 trusts instead of the image's.
    type: path
  plan_digest:
    description: What the load belongs to.
    type: str
    default: ""
  reuse_finished:
    description: Whether a load that ended well and that nobody recorded is used instead of a new one.
    type: bool
    default: true
  raw:
    description: Whether O(state=fetched) brings the raw output too.
    type: bool
    default: true
  schema_directory:
    description: The directory of the JSON Schemas, required with O(state=started).
    type: path
requirements:
  - kubernetes
  - jsonschema
"""

EXAMPLES = r"""
- name: Start the load of a cell
  perfscale.mlflow.k6_pod:
    directory: /results/run-1/cells/t1-c5-r1
    generator: "{{ target.generator }}"
    script: mlflow_scale_test.js
    config: "{{ load_config }}"
    schema_directory: /collection/files/schemas

- name: Fetch what it left
  perfscale.mlflow.k6_pod:
    state: fetched
    directory: /results/run-1/cells/t1-c5-r1
"""

RETURN = r"""
attempt:
  description:
    - The attempt that runs, with the keys n, directory, handle, started (epoch seconds) and attached.
    - The handle has pod_uid, namespace, pod, container, restarts, node, and the directory in the pod.
    - Empty with other states.
  returned: success
  type: dict
fetched:
  description: What O(state=fetched) brought, with the keys files, bytes and seconds. Empty with other states.
  returned: success
  type: dict
retry:
  description: Whether the failure is the loss of the pod, so that the same may be tried in another one.
  returned: failure
  type: bool
"""

import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_load import PodLost, fetch, start, stop
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, auth_spec, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    SCHEMA_ERROR = traceback.format_exc()
else:
    SCHEMA_ERROR = None


def argument_spec():
    """Returns the module's options."""
    return {
        **auth_spec(),
        "state": {"type": "str", "choices": ["started", "fetched", "stopped"], "default": "started"},
        "directory": {"type": "path", "required": True},
        "generator": {"type": "dict"},
        "script": {"type": "str"},
        "config": {"type": "dict", "default": {}},
        "config_schema": {"type": "str"},
        "ca_file": {"type": "path"},
        "plan_digest": {"type": "str", "default": ""},
        "reuse_finished": {"type": "bool", "default": True},
        "raw": {"type": "bool", "default": True},
        "schema_directory": {"type": "path"},
    }


def run(params):
    """Returns the module's result for its options. Raises ClusterError, FileWriteError, ValueError."""
    cluster, directory = cluster_from(params), Path(params["directory"])
    if params["state"] == "stopped":
        return {"changed": stop(cluster, directory), "attempt": {}, "fetched": {}}
    if params["state"] == "fetched":
        brought = fetch(cluster, directory, params["raw"])
        return {"changed": bool(brought["files"]), "attempt": {}, "fetched": brought}
    launch = {key: params[key] for key in ("generator", "script", "ca_file", "config_schema")}
    attempt = start(cluster, directory, params["config"], launch, params["plan_digest"], params["reuse_finished"], params["schema_directory"])
    return {"changed": not attempt["attached"], "attempt": attempt, "fetched": {}}


def main():
    """Runs the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_if=[("state", "started", ["generator", "script", "schema_directory"])],
        supports_check_mode=True,
    )
    for library, error in ((LIBRARIES, MISSING), ("jsonschema", SCHEMA_ERROR)):
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)
    if module.check_mode:
        module.exit_json(changed=True, attempt={}, fetched={})
    try:
        result = run(module.params)
    except (ClusterError, FileWriteError, ValueError) as error:
        module.fail_json(msg=str(error), retry=isinstance(error, PodLost))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
