# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: starts k6 detached from the controller, or stops it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k6_process
version_added: 0.1.0
short_description: Start k6 detached from the controller, or stop it
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - The process backend of the role P(perfscale.mlflow.k6_runner#role). The load outlives its controller.
  - A second start of the same plan attaches to a running k6, or uses one that ended well while no controller watched.
  - Each start has a directory of its own below C(attempts); C(state.json) says which one is the latest and who runs it.
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
options:
  state:
    description: Whether the load is to run.
    type: str
    choices: [started, stopped]
    default: started
  directory:
    description:
      - Where C(state.json) and the attempts lie.
      - With O(state=stopped) also the directory of a run, whose every load is stopped.
    type: path
    required: true
  script:
    description: The script of k6, required with O(state=started).
    type: path
  binary:
    description: The k6 to run, required with O(state=started).
    type: path
  config:
    description: The configuration of the script, without secrets.
    type: dict
    default: {}
  config_schema:
    description: Name of the schema that the configuration has to follow, without its ending; not checked when left out.
    type: str
  ca_file:
    description: PEM bundle of the certificate authorities that k6 trusts instead of the system's.
    type: path
  plan_digest:
    description: What the load belongs to.
    type: str
    default: ""
  reuse_finished:
    description: Whether a load that ended well and that nobody recorded is used instead of a new one.
    type: bool
    default: true
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Start the load of a cell
  perfscale.mlflow.k6_process:
    directory: /results/run-1/cells/t1-c5-r1
    script: /collection/files/k6/mlflow_scale_test.js
    binary: /usr/bin/k6
    config: "{{ load_config }}"
    schema_directory: /collection/files/schemas
"""

RETURN = r"""
attempt:
  description:
    - The attempt that runs, with the keys n, directory, handle (pid and start_time), started (epoch seconds) and attached.
    - Empty with O(state=stopped).
  returned: success
  type: dict
"""

import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import start, stop
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import ProcessError

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
    import psutil  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "directory": {"type": "path", "required": True},
            "script": {"type": "path"},
            "binary": {"type": "path"},
            "config": {"type": "dict", "default": {}},
            "config_schema": {"type": "str"},
            "ca_file": {"type": "path"},
            "plan_digest": {"type": "str", "default": ""},
            "reuse_finished": {"type": "bool", "default": True},
            "schema_directory": {"type": "path", "required": True},
        },
        required_if=[("state", "started", ["script", "binary"])],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("jsonschema and psutil"), exception=MISSING)
    if module.check_mode:
        module.exit_json(changed=True, attempt={})
    params = module.params
    directory = Path(params["directory"])
    try:
        if params["state"] == "stopped":
            module.exit_json(changed=stop(directory), attempt={})
        launch = {key: params[key] for key in ("binary", "script", "ca_file", "config_schema")}
        attempt = start(directory, params["config"], launch, params["plan_digest"], params["reuse_finished"], params["schema_directory"])
    except (FileWriteError, ProcessError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=not attempt["attached"], attempt=attempt)


if __name__ == "__main__":
    main()
