# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: start k6 on a generator of any kind, fetch its files, or stop it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k6_load
version_added: 0.2.0
short_description: Start k6 on a load generator, fetch its files, or stop it
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Runs k6 as a detached process of this machine, in the pod of M(perfscale.mlflow.generator_pod), or divided among runners of the k6-operator, as
    C(generator.kind) of C(target.json) says. What is not the load of a cell is never divided.
  - The load outlives its controller; in a pod it also survives the loss of the connection or of the API server.
  - A second start of the same plan attaches to a running k6, or uses one that ended normally while no controller was watching.
  - Each start has its own directory below C(attempts); C(state.json) names the latest one and where it runs.
  - Tokens and CA bundle reach a pod through its Secret, whose new content is seen in the pod before the load starts.
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
      - V(fetched) copies the files of a load that has ended to the controller, verifies them by checksum, and deletes them in the pod.
      - V(stopped) stops the load and fetches its files.
    type: str
    choices: [started, fetched, stopped]
    default: started
  directory:
    description:
      - Where C(state.json) and the attempts are on the controller.
      - With O(state=stopped) also the directory of a run, of which every load is stopped.
    type: path
    required: true
  generator:
    description:
      - The generator of C(target.json), with its C(kind) V(process), V(pod) or V(k6_operator).
      - V(process) needs C(binary), the path of k6. V(pod) needs C(namespace) and C(pod). V(k6_operator) needs all that M(perfscale.mlflow.generator_pod)
        returns with O(perfscale.mlflow.generator_pod#module:shards).
    type: dict
    required: true
  workload:
    description: Whether the load of a cell or the prefill of the data set is started; determines the script and the schema.
    type: str
    choices: [load, prefill]
    default: load
  script:
    description: Name of another script in O(scripts) that takes the configuration of the O(workload).
    type: str
  scripts:
    description: Directory of the scripts of k6, required with O(state=started). A pod has its own copy.
    type: path
  config:
    description:
      - The configuration of the script, without secrets; it names files of the controller that hold tokens.
      - Checked against the schema of the O(workload).
    type: dict
    default: {}
  ca_file:
    description: CA bundle in PEM format that k6 trusts instead of the system's or the image's.
    type: path
  live:
    description:
      - V(prometheus_rw) has k6 send its metrics to O(live_url) every five seconds while it runs, beside what it writes for the record. It costs k6 processor
        time and memory, so it is off by default. An endpoint that does not respond is noted in C(k6.log) and changes nothing.
      - The names begin with C(k6_). Percentiles are those of the load so far, warm-up included, in seconds.
    type: str
    choices: ["", prometheus_rw]
    default: ""
  live_url:
    description: The remote-write endpoint of a Prometheus or of what takes its protocol, without user information. Required with O(live).
    type: str
  plan_digest:
    description: Digest of the plan that the load belongs to.
    type: str
    default: ""
  reuse_finished:
    description: Whether a load that ended normally and is not recorded yet is used instead of a new one.
    type: bool
    default: true
  raw:
    description: Whether O(state=fetched) also fetches the raw output.
    type: bool
    default: true
  schema_directory:
    description: The directory of the JSON Schemas, required with O(state=started).
    type: path
requirements:
  - jsonschema
  - psutil
  - kubernetes (for a generator in a cluster)
"""

EXAMPLES = r"""
- name: Start the load of a cell
  perfscale.mlflow.k6_load:
    directory: /results/run-1/cells/t1-c5-r1
    generator: "{{ target.generator }}"
    scripts: /collection/files/k6
    config: "{{ load_config }}"
    schema_directory: /collection/files/schemas

- name: Fetch the files of the load
  perfscale.mlflow.k6_load:
    state: fetched
    directory: /results/run-1/cells/t1-c5-r1
    generator: "{{ target.generator }}"

- name: Stop every load of a run
  perfscale.mlflow.k6_load:
    state: stopped
    directory: /results/run-1
    generator:
      kind: process
"""

RETURN = r"""
attempt:
  description:
    - The attempt that runs, with the keys n, directory, handle, started (epoch seconds) and attached.
    - The handle of a process has pid and start_time. That of a pod has pod_uid, namespace, pod, container, restarts, node, and the directory in the pod.
    - That of a divided load has test_run, namespace, shards, directory and starts (the common start, epoch seconds).
    - Empty with other states.
  returned: success
  type: dict
fetched:
  description: The files that O(state=fetched) fetched, with the keys files, bytes and seconds. Empty with other states.
  returned: success
  type: dict
retry:
  description: Whether the generator was lost, so that the same load may be retried on another one.
  returned: failure
  type: bool
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import LIVE_KINDS, latest_attempt, live_url, stop_all
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import (
    ERRORS,
    WORKLOADS,
    GeneratorLostError,
    Load,
    MissingLibraryError,
    create_backend,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["started", "fetched", "stopped"], "default": "started"},
        "directory": {"type": "path", "required": True},
        "generator": {"type": "dict", "required": True},
        "workload": {"type": "str", "choices": list(WORKLOADS), "default": "load"},
        "script": {"type": "str"},
        "scripts": {"type": "path"},
        "config": {"type": "dict", "default": {}},
        "ca_file": {"type": "path"},
        "live": {"type": "str", "choices": ["", *LIVE_KINDS], "default": ""},
        "live_url": {"type": "str"},
        "plan_digest": {"type": "str", "default": ""},
        "reuse_finished": {"type": "bool", "default": True},
        "raw": {"type": "bool", "default": True},
        "schema_directory": {"type": "path"},
    }


def run(params):
    """Return the module's result for its options. Raises ERRORS and MissingLibraryError."""
    backend, directory = create_backend(params["generator"].get("kind"), params), Path(params["directory"])
    if params["state"] == "stopped":
        return {"changed": stop_all(backend, directory), "attempt": {}, "fetched": {}}
    if params["state"] == "fetched":
        fetched = backend.fetch(latest_attempt(directory), params["raw"])
        return {"changed": bool(fetched["files"]), "attempt": {}, "fetched": fetched}
    load = Load(
        directory=directory,
        generator=params["generator"],
        config=params["config"],
        scripts_dir=params["scripts"],
        schema_dir=params["schema_directory"],
        workload=params["workload"],
        script=params["script"] or "",
        ca_file=params["ca_file"],
        live_url=live_url(params["live"], params["live_url"]),
        plan_digest=params["plan_digest"],
        is_finished_reusable=params["reuse_finished"],
    )
    attempt = backend.start(load)
    return {"changed": not attempt["attached"], "attempt": attempt, "fetched": {}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        required_if=[("state", "started", ["scripts", "schema_directory"])],
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, attempt={}, fetched={})
    try:
        result = run(module.params)
    except MissingLibraryError as error:
        module.fail_json(msg=missing_required_lib(error.libraries), exception=error.trace)
    except ERRORS as error:
        module.fail_json(msg=str(error), retry=isinstance(error, GeneratorLostError))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
