# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in the generator's pod, and what its companions are called."""

from __future__ import annotations

CONTAINER = "k6"
PROGRAM = "k6"
SCRIPTS = "/scripts"
RESULTS = "/results"
ACCESS = "/var/run/perfscale.mlflow"
# The keys of the Secret are the names of the files.
TOKEN, TOKEN_MAP, AUTHORITIES = "token", "tokens.json", "ca.crt"


def scripts_name(pod: str) -> str:
    """Returns the name of the ConfigMap with the scripts."""
    return f"{pod}-scripts"


def secret_name(pod: str) -> str:
    """Returns the name of the Secret with tokens and certificate authorities."""
    return f"{pod}-access"


def claim_name(pod: str) -> str:
    """Returns the name of the volume claim."""
    return f"{pod}-results"


def access_file(name: str) -> str:
    """Returns the path of a file of the Secret in the pod."""
    return f"{ACCESS}/{name}"
