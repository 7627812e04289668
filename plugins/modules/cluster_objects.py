#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, change or delete objects of a cluster under the rule of ownership."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_objects
version_added: 0.2.0
short_description: Create, change or delete objects of a cluster that this collection manages
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Applies objects with the labels of this collection, and deletes only objects that carry these labels.
  - Objects come from the option O(definition), from text (such as the output of kustomize), or from files, directories and URLs.
  - Namespaces and custom resource definitions come first, and the definitions are served before objects of their kinds are sent.
  - Objects of an earlier run are reused and keep its label. Objects are sent by server-side apply, so fields that others set stay.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and asks the API server what would change. Objects whose definition does not exist yet count as a change.
    support: full
options:
  state:
    description:
      - V(present) applies the objects.
      - V(absent) deletes those with the label of this collection, and waits until they are gone.
    type: str
    choices: [present, absent]
    default: present
  definition:
    description: The objects.
    type: list
    elements: dict
    default: []
  text:
    description: Objects as YAML with any number of documents.
    type: str
    default: ''
  sources:
    description: Files, directories (their files, not those below) or http(s) URLs with objects.
    type: list
    elements: str
    default: []
  skipped_kinds:
    description: Kinds of O(text) and O(sources) that are left out, such as those that the cluster does not have.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  patches:
    description:
      - Changes of these objects, each naming one by C(kind) and C(metadata.name). Dictionaries are merged, lists of items with a C(name) by name.
    type: list
    elements: dict
    default: []
  namespace:
    description: Namespace of objects that name none.
    type: str
  labels:
    description: Further labels of every object.
    type: dict
    default: {}
  unmanaged:
    description:
      - What to do with an object that exists without our label.
      - V(fail) is an error that names it; V(adopt) changes it without labelling it, so that it is never deleted; V(keep) leaves it as it is.
    type: str
    choices: [fail, adopt, keep]
    default: fail
  run_id:
    description: The run that creates the objects. With O(state=absent), only those of this run are deleted, if given.
    type: str
    default: ''
  kinds:
    description: With O(state=absent), also all objects of these kinds that are ours and match O(selector).
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Group and version.
        type: str
        required: true
      kind:
        description: Kind. One that the cluster does not serve is skipped.
        type: str
        required: true
      namespace:
        description: Namespace, for kinds that live in one.
        type: str
  selector:
    description: Equality selector for O(kinds), in addition to our label.
    type: str
    default: ''
  used_by:
    description: With O(state=absent), what uses the objects. They are kept then, and are in RV(objects.remaining).
    type: str
    default: ''
    version_added: 0.2.0
  used_by_run:
    description: The run that created what O(used_by) names, if this collection did.
    type: str
    default: ''
    version_added: 0.2.0
  is_unit:
    description:
      - With O(state=absent), whether the objects belong together, such as an operator with its definitions and permissions. They are kept as a whole if
        one of their definitions still has objects.
    type: bool
    default: false
    version_added: 0.2.0
  wait_gone:
    description: With O(state=absent), objects that controllers delete as a consequence, and that are waited for too.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds until definitions have to be served, or objects gone.
    type: float
    default: 60.0
requirements:
  - kubernetes
  - PyYAML
"""

EXAMPLES = r"""
- name: Install an operator from a directory of manifests
  perfscale.mlflow.cluster_objects:
    sources: [/opt/operator/manifests]
    namespace: opendatahub
    run_id: run-1
    patches:
      - kind: Deployment
        metadata:
          name: operator
        spec:
          template:
            spec:
              containers:
                - name: manager
                  image: registry.example.com/operator:1.2.3

- name: Delete the objects of that run
  perfscale.mlflow.cluster_objects:
    state: absent
    run_id: run-1
    kinds:
      - api_version: apps/v1
        kind: Deployment
        namespace: opendatahub
"""

RETURN = r"""
objects:
  description: The processed objects, in the order of processing.
  returned: success
  type: dict
  contains:
    changed:
      description: Names of the objects that were created, changed or deleted (in check mode, that would be).
      type: list
      elements: str
    unchanged:
      description: Names of those that needed no change.
      type: list
      elements: str
    unmanaged:
      description: Names of those that are not ours and were adopted or left.
      type: list
      elements: str
    remaining:
      description:
        - Objects that remain after O(timeout), or that are in use, each with C(object), C(why) and C(run_id), which is another run of this collection that
          is the reason, or empty.
      type: list
      elements: dict
"""

from urllib.parse import unquote, urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import HttpClient, HttpError, basic_auth
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_url
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import decode
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import UNMANAGED, Objects, User, apply_all, remove_all
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec

FETCH_TIMEOUT_S = 30
REDIRECTS_MAX = 5


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "definition": {"type": "list", "elements": "dict", "default": []},
        "text": {"type": "str", "default": ""},
        "sources": {"type": "list", "elements": "str", "default": []},
        "skipped_kinds": {"type": "list", "elements": "str", "default": []},
        "patches": {"type": "list", "elements": "dict", "default": []},
        "namespace": {"type": "str"},
        "labels": {"type": "dict", "default": {}},
        "unmanaged": {"type": "str", "choices": list(UNMANAGED), "default": "fail"},
        "run_id": {"type": "str", "default": ""},
        "kinds": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "namespace": {"type": "str"},
            },
        },
        "selector": {"type": "str", "default": ""},
        "used_by": {"type": "str", "default": ""},
        "used_by_run": {"type": "str", "default": ""},
        "is_unit": {"type": "bool", "default": False},
        "wait_gone": {"type": "list", "elements": "dict", "default": []},
        "timeout": {"type": "float", "default": 60.0},
    }


def fetch(url):
    """Return the text behind a URL. Redirects are followed without the login that the URL may hold. Raises ClusterError."""
    parts = urlsplit(url)
    client, address = HttpClient(timeout_s=FETCH_TIMEOUT_S), parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    login = basic_auth(f"{unquote(parts.username)}:{unquote(parts.password or '')}") if parts.username else {}
    try:
        for _redirect in range(REDIRECTS_MAX):
            response = client.request("GET", address, headers=login)
            if not response.is_redirect:
                break
            address, login = urljoin(address, response.headers.get("location", "")), {}
        if response.is_success:
            return decode(response.data)
        problem = f"HTTP {response.status}: {response.text() or 'no text'}"
    except HttpError as error:
        problem = error.reason
    except UnicodeDecodeError:
        problem = "not a text"
    finally:
        client.close()
    raise ClusterError(f"Manifest {redact_url(url)}: download failed ({problem}). Correct the URL, or download the file and give its path.")


def requested(options):
    """Return the objects that the options describe. Raises ClusterError."""
    found = manifests.check(options["definition"], "of option definition")
    found += manifests.parse(options["text"], "of option text") if options["text"].strip() else []
    found += manifests.read(options["sources"], fetch)
    return manifests.patched([entry for entry in found if entry["kind"] not in options["skipped_kinds"]], options["patches"])


def run(options, cluster, check_mode):
    """Return the module's result for its options. Raises ClusterError."""
    objects = Objects(cluster, options["run_id"], options["timeout"])
    found = requested(options)
    if options["state"] == "present":
        done = apply_all(objects, found, options["namespace"], options["labels"], options["unmanaged"], check_mode)
    else:
        kinds = [(entry["api_version"], entry["kind"], entry["namespace"]) for entry in options["kinds"]]
        used_by = User(options["used_by"], options["used_by_run"]) if options["used_by"] else None
        done = remove_all(
            objects, found, options["namespace"], kinds, options["selector"], options["wait_gone"], check_mode, used_by, options["is_unit"]
        )
    return {"changed": bool(done["changed"]), "objects": done}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    for library, error in ((LIBRARIES, MISSING), ("PyYAML", manifests.YAML_ERROR)):
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)
    try:
        result = run(module.params, cluster_from(module.params), module.check_mode)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
