#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a token of a service account to a private file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_account_token
short_description: Write a token of a service account to a private file
version_added: 0.2.0
description:
  - Requests a token from the API server (TokenRequest) and writes it, atomically and with mode 0600, to a file on the host where the module runs.
    The token itself is never returned.
  - With O(tenants) requests one token for the service account of each tenant, and the file is a JSON object of tokens by tenant.
  - A token with a shorter lifetime than requested is an error that names both.
  - With O(keep_s), a token that is in the file already and still good is kept, since servers keep their decisions about a token for some minutes.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Requests nothing and writes nothing.
    support: full
  idempotent:
    description: With O(keep_s), for as long as the token lives long enough.
    support: partial
options:
  name:
    description: Name of the service account.
    type: str
    required: true
  namespace:
    description: Its namespace. Set this or O(tenants).
    type: str
  tenants:
    description: Namespaces that have a service account of this name each.
    type: list
    elements: str
  seconds:
    description: Lifetime of the token, at least 600.
    type: int
    required: true
  keep_s:
    description:
      - Keep a token of the file that lives at least this many seconds, and at most O(seconds), if its service account still exists. 0 always requests
        a new token. Not with O(secret).
    type: int
    default: 0
  run_id:
    description: The run for which the service account in O(namespace) is created if it is missing. Without it a missing one is an error.
    type: str
    default: ''
  dest:
    description: The file, with mode 0600. A missing directory is created with mode 0700.
    type: path
    required: true
  secret:
    description:
      - Name of a Secret in O(namespace). The token becomes invalid when the Secret is deleted.
    type: str
  parallelism:
    description: Maximum number of concurrent requests, at most 32.
    type: int
    default: 16
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Write a token for the next cell
  perfscale.mlflow.service_account_token:
    namespace: opendatahub
    name: perfscale-mlflow-load
    seconds: 3600
    dest: "{{ state_dir }}/mlflow.token"
"""

RETURN = r"""
token:
  description: Expiry and file. The earliest expiry, if there are several.
  returned: success
  type: dict
  contains:
    expires:
      description: Expiry in epoch seconds. Null in check mode.
      type: float
    expires_at:
      description: Expiry as text, in UTC.
      type: str
      sample: "2026-11-24T12:30:00Z"
    count:
      description: Number of tokens in the file.
      type: int
    kept:
      description: How many of them were there before.
      type: int
    file:
      description: The file.
      type: str
"""

import json
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, write_json, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import check_parallelism
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import account_uid, account_uids, kept_token, request_token, token_facts

PRIVATE = 0o600


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "tenants": {"type": "list", "elements": "str"},
        "seconds": {"type": "int", "required": True},
        "keep_s": {"type": "int", "default": 0},
        "run_id": {"type": "str", "default": ""},
        "dest": {"type": "path", "required": True},
        "secret": {"type": "str", "no_log": False},  # a name
        "parallelism": {"type": "int", "default": 16},
    }


def secret_of(cluster, options):
    """Return {name, uid} of the Secret that a token is bound to, or None. Raises ClusterError when it does not exist."""
    if not options["secret"]:
        return None
    found = cluster.request("GET", f"/api/v1/namespaces/{options['namespace']}/secrets/{options['secret']}")
    return {"name": options["secret"], "uid": found["metadata"]["uid"]}


def stored(options):
    """Return the tokens of the file by namespace; none that may be kept if there are no readable ones."""
    if not options["keep_s"] or options["secret"]:
        return {}
    try:
        text = Path(options["dest"]).read_text(encoding="utf-8")
        tokens = {options["namespace"]: text} if options["tenants"] is None else json.loads(text)
    except (OSError, ValueError):
        return {}
    return tokens if isinstance(tokens, dict) else {}


def ensured(cluster, options):
    """Return the tokens in the order of the namespaces, and how many were kept. Raises ClusterError."""
    namespace, name, before = options["namespace"], options["name"], stored(options)
    namespaces = [namespace] if options["tenants"] is None else options["tenants"]
    uids = {}
    if options["tenants"] is None and (before or options["run_id"]):
        uids = {namespace: account_uid(cluster, namespace, name, options["run_id"])}
    elif before:
        uids = account_uids(cluster, name)
    now = cluster.server_time() or time.time()
    kept = {
        place: token
        for place in namespaces
        if place in before and place in uids
        if (token := kept_token(str(before[place]), uids[place], options["keep_s"], options["seconds"], now))
    }
    secret = secret_of(cluster, options)
    tokens = in_parallel(
        lambda place: kept.get(place) or request_token(cluster, place, name, options["seconds"], secret), namespaces, options["parallelism"]
    )
    return tokens, len(kept)


def run(options):
    """Return the module's result for its options. Raises ClusterError or FileWriteError."""
    check_parallelism(options["parallelism"])
    cluster = cluster_from(options, options["parallelism"])
    try:
        tokens, kept = ensured(cluster, options)
    finally:
        cluster.close()
    if kept < len(tokens) and options["tenants"] is None:
        write_text(options["dest"], tokens[0].text, PRIVATE)
    elif kept < len(tokens):
        write_json(options["dest"], {tenant: token.text for tenant, token in zip(options["tenants"], tokens, strict=True)}, PRIVATE)
    return {"changed": kept < len(tokens), "token": {**token_facts(tokens), "kept": kept, "file": options["dest"]}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        mutually_exclusive=[("namespace", "tenants"), ("secret", "tenants")],
        required_one_of=[("namespace", "tenants")],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    if module.check_mode:
        count = 1 if module.params["tenants"] is None else len(module.params["tenants"])
        module.exit_json(changed=True, token={"expires": None, "expires_at": None, "count": count, "file": module.params["dest"]})
    try:
        result = run(module.params)
    except (ClusterError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
