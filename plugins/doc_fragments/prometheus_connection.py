# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options by which the modules reach a Prometheus."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of module_utils/prometheus/client.py; `address` has the same ones below O(prometheus)."""

    DOCUMENTATION = r"""
options:
  url:
    description: Base URL of Prometheus or of a Thanos querier, without C(/api/v1).
    type: str
    required: true
  token_file:
    description: File with a bearer token, or with C(user:password) for basic authentication. Its content appears in no argument and no result.
    type: path
  ca_file:
    description: CA bundle in PEM format.
    type: path
  validate_certs:
    description: Whether to verify the certificate of the server.
    type: bool
    default: true
"""

    ADDRESS = r"""
options:
  prometheus:
    description: A Prometheus that must respond.
    type: dict
    suboptions:
      url:
        description: Its base URL.
        type: str
        required: true
      token_file:
        description: File with the bearer token, or with C(user:password).
        type: path
      ca_file:
        description: CA bundle.
        type: path
      validate_certs:
        description: Whether the certificate is verified.
        type: bool
        default: true
"""
