# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options by which the modules reach an MLflow server."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of module_utils/mlflow/client.py."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base URL of the MLflow server, with its path prefix where it has one (such as C(/mlflow) behind a gateway).
    type: str
    required: true
  token_file:
    description:
      - File that holds only the bearer token, or C(user:password) for basic authentication (MLflow's own), readable on the host where
        the module runs.
      - Omit it for a server that needs none.
    type: path
  ca_file:
    description:
      - CA bundle in PEM format to use instead of the system's.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate is verified.
    type: bool
    default: true
  request_timeout:
    description:
      - Seconds for connecting, and for each response from its first byte to its last. Failed requests are retried with growing pauses, for two minutes at most.
    type: float
    default: 30.0
  parallelism:
    description:
      - Maximum number of concurrent requests.
    type: int
    default: 8
requirements:
  - urllib3 >= 2.0
"""
