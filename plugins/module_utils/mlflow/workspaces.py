# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants as MLflow workspaces: listed first, missing ones created concurrently, each one verified before it counts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError, reading

PATH = "/api/3.0/mlflow/workspaces"
EXPERIMENTS = "/api/2.0/mlflow/experiments/search"
# MLflow's workspaces have no labels; the description is the only field that can mark them as managed.
OURS = "managed-by: perfscale.mlflow"
DEFAULT = "default"  # MLflow's own, always there
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RESERVED = frozenset({DEFAULT, "workspaces", "api", "ajax-api", "static-files"})
_POLL_S = 0.2
_GONE_LIMIT_S = 15.0
NOT_READY = "Read the server's log, or raise the time limit."
NOT_LISTED = (
    "Give the token's service account permissions there (MLflow keeps a denial for some minutes, so bind before the first request), "
    "and the namespace the label by which MLflow selects its workspaces."
)


def tenant_numbers(options: Mapping[str, Any]) -> list[int]:
    """Return the tenants' numbers: `numbers` as given, or 1 to `count`. Raises MlflowError unless they are 1 or greater and distinct."""
    numbers = options["numbers"] if options.get("numbers") is not None else list(range(1, (options.get("count") or 0) + 1))
    if not numbers or min(numbers) < 1 or len(set(numbers)) != len(numbers):
        raise MlflowError("Tenants: none, or a duplicate number or one below 1. Give count of at least 1, or distinct numbers from 1 on.")
    return numbers


def tenant_names(prefix: str, numbers: Iterable[int]) -> list[str]:
    """Return the tenants' names, such as tenant-1, in the order of `numbers`."""
    return [f"{prefix}{number}" for number in numbers]


def check_names(names: list[str]) -> None:
    """Raise MlflowError unless MLflow would accept each name (2-63 of a-z, 0-9 and inner hyphens) and none comes twice."""
    for name in names:
        if not 2 <= len(name) <= 63 or not _NAME.fullmatch(name) or name in _RESERVED:
            raise MlflowError(f"Workspace {name!r}: not a name that MLflow accepts. Use 2 to 63 of a-z, 0-9 and inner hyphens, and no reserved name.")
    if len(set(names)) != len(names):
        raise MlflowError("Workspaces: duplicate name. List each name once.")


def list_workspaces(client: MlflowClient) -> dict[str, str]:
    """Return {name: description} of every workspace visible to the token. Raises MlflowError."""
    found = client.document("GET", PATH).get("workspaces") or []
    with reading(client.url, f"GET {PATH}"):
        return {str(workspace["name"]): str(workspace.get("description") or "") for workspace in found}


def ensure_workspaces(
    client: MlflowClient,
    names: list[str],
    parallelism: int = 8,
    timeout_s: float = 300.0,
    adopt: bool = False,
    check_mode: bool = False,
) -> dict[str, Any]:
    """Create the missing workspaces and wait until every one of `names` responds.

    Returns {requested, created[], existing[], missing[], extra[], ready, seconds}: `extra` are visible ones that were not asked
    (without MLflow's own `default`), `ready` is true only if each name was listed and responded to a request.
    With `check_mode` nothing is sent that changes the server, `created` is what would be created, and `missing` and `ready` are about the present.
    Raises MlflowError: a name exists that this collection does not manage and `adopt` is false, creation failed, or `timeout_s` passed.
    """
    started = time.monotonic()
    check_names(names)
    before = list_workspaces(client)
    existing = [name for name in names if name in before]
    missing = [name for name in names if name not in before]
    unmanaged = [name for name in existing if before[name] != OURS]
    if unmanaged and not adopt:
        raise MlflowError(
            f"Workspace {few(unmanaged)}: exists and is not managed by this collection. "
            "Choose another prefix, remove it, or adopt it knowingly (adopt: true, role variable workspaces_adopt)."
        )
    if not check_mode:
        in_parallel(lambda name: _create(client, name), missing, parallelism)
        wait_ready(client, names, parallelism, started + timeout_s, timeout_s)
    requested = set(names)
    return {
        "requested": len(names),
        "created": missing,
        "existing": existing,
        "missing": missing if check_mode else [],
        "extra": sorted(name for name in before if name not in requested and name != DEFAULT),
        "ready": not (check_mode and missing),
        "seconds": round(time.monotonic() - started, 3),
    }


def wait_for_workspaces(
    client: MlflowClient,
    names: list[str],
    parallelism: int = 8,
    timeout_s: float = 300.0,
    gone: Iterable[str] = (),
    check_mode: bool = False,
) -> dict[str, Any]:
    """Wait until every one of `names`, which others create, is listed and responds, and those of `gone` are no longer listed.

    Returns the same as `ensure_workspaces`, with an empty `created`. A name of `gone` that is still listed after 15 s is returned as one
    of `extra`: the server may not select its workspaces by a label. With `check_mode` nothing is waited for.
    Raises MlflowError when `timeout_s` passed.
    """
    started = time.monotonic()
    check_names(names)
    if not check_mode:
        wait_ready(client, names, parallelism, started + timeout_s, timeout_s, NOT_LISTED)
    seen = set(list_workspaces(client))
    deadline = started + min(timeout_s, _GONE_LIMIT_S)
    while not check_mode and seen.intersection(gone) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        seen = set(list_workspaces(client))
    return {
        "requested": len(names),
        "created": [],
        "existing": [name for name in names if name in seen],
        "missing": [name for name in names if name not in seen],
        "extra": sorted(seen.difference(names, (DEFAULT,))),
        "ready": seen.issuperset(names),
        "seconds": round(time.monotonic() - started, 3),
    }


def wait_ready(client: MlflowClient, names: list[str], parallelism: int, deadline: float, timeout_s: float, remedy: str = NOT_READY) -> None:
    """Wait until every workspace is listed and responds to a request of its own.

    `deadline` is on the monotonic clock. Raises MlflowError naming what is missing when it passes.
    """
    waiting = list(names)
    while True:
        seen = set(list_workspaces(client))
        listed = [name for name in waiting if name in seen]
        responses = in_parallel(lambda name: _responds(client, name, deadline), listed, parallelism)
        ready = {name for name, responded in zip(listed, responses, strict=True) if responded}
        waiting = [name for name in waiting if name not in ready]
        if not waiting:
            return
        if time.monotonic() >= deadline:
            last = "listed but not responding" if waiting[0] in seen else "not listed"
            raise MlflowError(
                f"Workspace {few(waiting)}: not ready after {timeout_s:g} s ({len(waiting)} of {len(names)}, last seen {last}). "
                f"{remedy}"
            )
        time.sleep(_POLL_S)


def _create(client: MlflowClient, name: str) -> None:
    try:
        client.document("POST", PATH, body={"name": name, "description": OURS})
    except MlflowError as error:
        # A creation that was sent again because its response was lost, or another controller's: the workspace exists as requested.
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise


def _responds(client: MlflowClient, name: str, deadline: float) -> bool:
    if time.monotonic() >= deadline:
        return False
    try:
        client.document("GET", EXPERIMENTS, workspace=name, query={"max_results": 1})
    except MlflowError as error:
        if error.status == 404:
            return False
        raise
    return True


def few(names: list[str]) -> str:
    """Return the first five names and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
