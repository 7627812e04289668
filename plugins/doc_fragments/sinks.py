# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which modules reach the sinks of results (plugins/module_utils/publish)."""

from __future__ import annotations


class ModuleDocFragment:
    """Where results are published to and restored from."""

    DOCUMENTATION = r"""
options:
  sinks:
    description:
      - The sinks, each with C(kind) (C(directory), C(pvc), C(s3), C(http) or C(opensearch)), a C(name), and the options of its kind,
        which C(docs/publish.md) describes.
      - Their secrets come from environment variables of ansible-playbook.
    type: list
    elements: dict
    required: true
  pod:
    description:
      - Settings of the pod that mounts a volume, C(image), C(image_pull_policy), C(image_pull_secrets), C(run_as_user) and C(fs_group),
        and the path of the C(script) that runs in it.
    type: dict
    default: {}
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
requirements:
  - jsonschema
  - botocore (sinks of kind s3)
  - urllib3 (sinks of kind http)
  - opensearch-py (sinks of kind opensearch)
  - kubernetes and kubernetes.core (sinks of kind pvc)
"""
