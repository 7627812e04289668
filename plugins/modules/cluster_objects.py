#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes objects of a cluster present or absent, under the rule of ownership."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_objects
version_added: 0.2.0
short_description: Make objects of a cluster present or absent, if they are ours
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Applies objects with the labels that say who made them, and removes only what carries these labels.
  - Objects come from the option O(definition), from texts (what kustomize printed), or from files, directories and URLs.
  - Namespaces and custom resource definitions come first, and the definitions are served before what needs them is sent.
  - Objects of an earlier run are reused and keep its label. Objects are sent by server-side apply, so what others set stays.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and asks the API server what would change. What needs a definition that is not there yet is counted as a change.
    support: full
options:
  state:
    description:
      - V(present) applies the objects.
      - V(absent) removes those that are ours, and waits until they are gone.
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
  patches:
    description:
      - Changes of these objects, each naming one by C(kind) and C(metadata.name). Dictionaries are merged, lists of things with a C(name) by name.
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
  foreign:
    description:
      - What to do with an object that exists without our label.
      - V(refuse) is an error that names it; V(adopt) changes it, without labelling it, so that it is never removed; V(keep) leaves it as it is.
    type: str
    choices: [refuse, adopt, keep]
    default: refuse
  run_id:
    description: The run that makes the objects. With O(state=absent), only those of this run are removed, if given.
    type: str
    default: ''
  kinds:
    description: With O(state=absent), also everything of these kinds that is ours and fits O(selector).
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Group and version.
        type: str
        required: true
      kind:
        description: Kind. One that the cluster does not have is passed over.
        type: str
        required: true
      namespace:
        description: Namespace, for kinds that live in one.
        type: str
  selector:
    description: Equality selector for O(kinds), beside the one for what is ours.
    type: str
    default: ''
  wait_gone:
    description: With O(state=absent), objects that others remove as a consequence, and that are waited for too.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds that definitions may take until they are served, or objects until they are gone.
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

- name: Remove what that run made
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
  description: What was done, in the order of doing it.
  returned: success
  type: dict
  contains:
    changed:
      description: Names of the objects that were created, changed or removed (in check mode, that would be).
      type: list
      elements: str
    same:
      description: Names of those that were as wanted before.
      type: list
      elements: str
    foreign:
      description: Names of those that are not ours and were adopted or left.
      type: list
      elements: str
    stays:
      description: Objects that are still there after O(timeout), each with C(object) and C(why).
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.urls import open_url

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, auth_spec, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import FOREIGN, Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.sets import apply_all, remove_all

FETCH_TIMEOUT_S = 30


def argument_spec():
    """Returns the module's options."""
    return {
        **auth_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "definition": {"type": "list", "elements": "dict", "default": []},
        "text": {"type": "str", "default": ""},
        "sources": {"type": "list", "elements": "str", "default": []},
        "patches": {"type": "list", "elements": "dict", "default": []},
        "namespace": {"type": "str"},
        "labels": {"type": "dict", "default": {}},
        "foreign": {"type": "str", "choices": list(FOREIGN), "default": "refuse"},
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
        "wait_gone": {"type": "list", "elements": "dict", "default": []},
        "timeout": {"type": "float", "default": 60.0},
    }


def fetch(url):
    """Returns the text behind a URL. Raises ClusterError."""
    try:
        return open_url(url, timeout=FETCH_TIMEOUT_S).read().decode("utf-8")
    except (OSError, ValueError) as error:
        raise ClusterError(f"Manifest {url}: cannot be fetched ({error}). Correct the URL, or download the file and give its path.") from error


def wanted(options):
    """Returns the objects that the options describe. Raises ClusterError."""
    found = manifests.check(options["definition"], "of option definition")
    found += manifests.parse(options["text"], "of option text") if options["text"].strip() else []
    found += manifests.read(options["sources"], fetch)
    return manifests.patched(found, options["patches"])


def run(options, cluster, check_mode):
    """Returns the module's result for its options. Raises ClusterError."""
    objects = Objects(cluster, options["run_id"], options["timeout"])
    found = wanted(options)
    if options["state"] == "present":
        done = apply_all(objects, found, options["namespace"], options["labels"], options["foreign"], check_mode)
    else:
        kinds = [(entry["api_version"], entry["kind"], entry["namespace"]) for entry in options["kinds"]]
        done = remove_all(objects, found, options["namespace"], kinds, options["selector"], options["wait_gone"], check_mode)
    return {"changed": bool(done["changed"]), "objects": done}


def main():
    """Runs the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
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
