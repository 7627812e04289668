# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: send a run to sinks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_publication
version_added: 0.2.0
short_description: Publish a run to sinks
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Sends the files of a run that a sink does not have yet, verifies each of them, and writes C(manifest.json) last.
  - Every file is scanned for secrets first; where one is found nothing is sent, and the problem names file, line and kind, never the value.
  - A sink that fails is a problem in the result, not a failure of the module, so that the other sinks get the run. The local copy is never touched.
  - Secrets of sinks come from environment variables of ansible-playbook, never from options.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.sinks
attributes:
  check_mode:
    description: Can run in check mode, in which it checks the settings and sends no request.
    support: full
options:
  state:
    description:
      - V(published) sends what is new.
      - V(checked) only prepares every sink and reads from it, to find what would stop a publication before a run begins.
      - V(released) deletes the pod that mounts a volume, which otherwise remains for the next publication.
    type: str
    choices: [published, checked, released]
    default: published
  run_directory:
    description: The directory of the run, its name is the run id. Required with O(state=published).
    type: path
  only:
    description: Patterns of the paths that are sent, such as C(cells/*/state.json); everything when empty. Other files of an earlier publication remain.
    type: list
    elements: str
    default: []
  exclude:
    description: Patterns of the paths that are never sent.
    type: list
    elements: str
    default: []
  reread:
    description:
      - Whether every file that a record names is read again and compared with its checksum before anything is sent; else only those that have changed
        since the last publication. A damaged cell is a problem in the result and is left out, so that it replaces no intact copy.
    type: bool
    default: true
  allowed_findings:
    description:
      - Findings of the scan that are no secrets, each with C(path), a pattern of the path in the run, and C(kind), as the problem names it.
      - A secret that this run knows can never be allowed.
    type: list
    elements: dict
    default: []
requirements:
  - detect-secrets
"""

EXAMPLES = r"""
- name: Publish a run to a mount and to an object store
  perfscale.mlflow.run_publication:
    run_directory: /results/run-1
    schema_directory: /collection/files/schemas
    sinks:
      - kind: directory
        path: /mnt/results
      - kind: s3
        endpoint: https://s3.example.com
        bucket: results

- name: Publish what a later job needs to resume
  perfscale.mlflow.run_publication:
    run_directory: /results/run-1
    schema_directory: /collection/files/schemas
    only: [run.json, target.json, cells/*/state.json]
    sinks:
      - kind: directory
        path: /mnt/results
"""

RETURN = r"""
publication:
  description: What was sent to which sink.
  returned: success
  type: dict
  contains:
    run_id:
      description: The run.
      type: str
    files:
      description: Number of files of the publication.
      type: int
    sinks:
      description:
        - One entry for each sink with name, kind, location, status (ok, failed or stopped), sent and unchanged (files), bytes, seconds, message.
        - C(verified) is the number of files by the way they were verified.
      type: list
      elements: dict
    problems:
      description: One sentence for each problem; empty when every sink has the run.
      type: list
      elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import publication, secret_forms, sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import AllowedError, Scanner, secrets_of_connection, secrets_of_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import LIBRARY, MISSING, SettingsError, cluster_options, sink_spec


def argument_spec():
    """Return the module's options."""
    return {
        **sink_spec(),
        "state": {"type": "str", "choices": ["published", "checked", "released"], "default": "published"},
        "run_directory": {"type": "path"},
        "only": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "reread": {"type": "bool", "default": True},
        "allowed_findings": {"type": "list", "elements": "dict", "default": []},
    }


def run(params, check_mode=False):
    """Return the module's result for its options. Raises AllowedError, SettingsError, SinkError and FileWriteError."""
    opened = sinks.create_sinks(params["sinks"], cluster_options(params, Path(params["run_directory"] or "release").name))
    nothing = {"run_id": "", "files": 0, "sinks": [], "problems": []}
    if check_mode:
        return {"changed": False, "publication": nothing}
    try:
        if params["state"] == "published":
            known = secrets_of_run(params["run_directory"]) | secrets_of_connection(params)
            scanner = Scanner(known, params["allowed_findings"])
            chosen = (params["only"], params["exclude"], params["reread"])
            found = publication.publish(params["run_directory"], opened, scanner, params["schema_directory"], *chosen)
            return {"changed": any(entry["sent"] for entry in found["sinks"]), "publication": found}
        problems = publication.check_access(opened) if params["state"] == "checked" else []
        return {"changed": False, "publication": {**nothing, "problems": problems}}
    finally:
        for sink in opened:
            sink.close(for_good=params["state"] == "released")


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), required_if=[("state", "published", ["run_directory"])], supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARY), exception=MISSING)
    if error := secret_forms.library_error():
        module.fail_json(msg=missing_required_lib(secret_forms.LIBRARY), exception=error)
    try:
        result = run(module.params, module.check_mode)
    except (AllowedError, FileWriteError, SettingsError, SinkError) as error:
        module.fail_json(msg=str(error))
    except sinks.MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library), exception=error.trace)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
