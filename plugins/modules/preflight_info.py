#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return everything on this machine that would stop a run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
version_added: 0.1.0
short_description: Get everything on this machine that would stop a run
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Finds every problem at once and changes nothing. Each check runs only when its option is given.
options:
  packages:
    description: Python packages that must be importable.
    type: list
    elements: str
    default: []
  results_dir:
    description: Directory that must be writable; it does not have to exist.
    type: path
  results_bytes:
    description: Bytes that must be free there.
    type: int
    default: 0
  state_dir:
    description: State directory of a local stack that must not be in use.
    type: path
  settings:
    description: Settings that must be valid and consistent.
    type: dict
    suboptions:
      db_backend:
        description: Database backend of MLflow.
        type: str
        required: true
      mlflow_url:
        description: URL of an existing MLflow.
        type: str
        default: ''
      prometheus_url:
        description: URL of an existing Prometheus.
        type: str
        default: ''
      metrics_profile:
        description: Metrics profile of the run.
        type: str
        default: ''
      profiles_dir:
        description: Directory of the shipped profiles.
        type: path
        required: true
  programs:
    description: Programs that must exist or be downloadable.
    type: dict
    suboptions:
      names:
        description: The required programs in addition to k6.
        type: list
        elements: str
        choices: [mlflow, prometheus, process_exporter, postgres]
        default: []
      cache_dir:
        description: The cache, as for M(perfscale.mlflow.local_tools).
        type: path
      mlflow_version:
        description: Version of MLflow, as for M(perfscale.mlflow.local_tools).
        type: str
        default: '3.17'
      paths:
        description: Paths of programs by name that override the search.
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
        description: Seconds between two samples, if known.
        type: float
  mlflow:
    description: An MLflow that must respond, accept the token and have workspaces enabled.
    type: dict
    suboptions:
      url:
        description: Its base URL.
        type: str
        required: true
      token:
        description: Bearer token, or C(user:password).
        type: str
      token_file:
        description: File with the bearer token or C(user:password), instead of O(mlflow.token).
        type: path
      ca_file:
        description: CA bundle.
        type: path
      validate_certs:
        description: Whether the certificate is verified.
        type: bool
        default: true
      anonymous:
        description: Whether only requests that need no token are sent.
        type: bool
        default: false
extends_documentation_fragment:
  - perfscale.mlflow.prometheus_connection.address
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: Find problems
  perfscale.mlflow.preflight_info:
    packages: [pandas]
    results_dir: results
    mlflow:
      url: http://127.0.0.1:5000
  register: preflight
"""

RETURN = r"""
problems:
  description: One sentence per problem, with its remedy.
  returned: always
  type: list
  elements: str
checks:
  description: Number of checks.
  returned: always
  type: int
facts:
  description: C(k6) (path, version) and C(mlflow) (version, workspaces_enabled, store_type), as far as requested and found.
  returned: always
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, preflight
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import window_problems, window_warnings


def argument_spec():
    """Return the module's arguments."""
    return {
        "packages": {"type": "list", "elements": "str", "default": []},
        "results_dir": {"type": "path"},
        "results_bytes": {"type": "int", "default": 0},
        "state_dir": {"type": "path"},
        "window": {"type": "dict", "options": {"seconds": {"type": "float", "required": True}, "scrape_interval_s": {"type": "float"}}},
        "settings": {
            "type": "dict",
            "options": {
                "db_backend": {"type": "str", "required": True},
                "mlflow_url": {"type": "str", "default": ""},
                "prometheus_url": {"type": "str", "default": ""},
                "metrics_profile": {"type": "str", "default": ""},
                "profiles_dir": {"type": "path", "required": True},
            },
        },
        "programs": {
            "type": "dict",
            "options": {
                "names": {"type": "list", "elements": "str", "choices": ["mlflow", "prometheus", "process_exporter", "postgres"], "default": []},
                "cache_dir": {"type": "path"},
                "mlflow_version": {"type": "str", "default": NEWEST},
                "paths": {"type": "dict", "default": {}},
            },
        },
        "mlflow": {"type": "dict", "options": {**connection_spec(), "token": {"type": "str", "no_log": True}, "anonymous": {"type": "bool", "default": False}}},
        "prometheus": {"type": "dict", "options": connection_spec()},
    }


def find_problems(params):
    """Return (problems, facts) of everything that is requested."""
    facts = {}
    problems = preflight.package_problems(params["packages"])
    if problems:
        # Without its packages Python cannot check further.
        return problems, facts
    if params["settings"]:
        problems += preflight.settings_problems(params["settings"])
    if params["results_dir"]:
        problems += preflight.directory_problems(params["results_dir"], params["results_bytes"])
    if params["window"]:
        problems += window_problems(**params["window"])
    if params["state_dir"]:
        problems += preflight.stack_problems(params["state_dir"])
    if params["programs"]:
        wanted = params["programs"]
        paths = {name: str(path) for name, path in wanted["paths"].items() if path}
        found, seen = preflight.program_problems({**wanted, "cache": Path(wanted["cache_dir"] or cache.default_directory()), "paths": paths})
        problems += found
        facts.update(seen)
    if params["mlflow"]:
        found, seen = preflight.server_problems(params["mlflow"])
        problems += found
        facts["mlflow"] = seen
    if params["prometheus"]:
        problems += preflight.prometheus_problems(params["prometheus"])
    return problems, facts


def count(params):
    """Return the number of requested checks: packages and programs one by one."""
    programs = params["programs"]
    asked = [params[name] for name in ("settings", "results_dir", "window", "state_dir", "mlflow", "prometheus")]
    return len(params["packages"]) + sum(map(bool, asked)) + (len({"k6", *programs["names"]}) if programs else 0)


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    problems, facts = find_problems(module.params)
    for warning in window_warnings(**module.params["window"]) if module.params["window"] else []:
        module.warn(warning)
    module.exit_json(changed=False, problems=problems, checks=count(module.params), facts=facts)


if __name__ == "__main__":
    main()
