# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of unprivileged accounts."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import accounts

NOBODY = pwd.getpwnam("nobody")


def test_who_is_not_root_stays_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert accounts.unprivileged() is None
    assert accounts.identity(None) == {}


def test_root_takes_the_first_account_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = accounts.unprivileged(("no-such-user", "nobody"))
    assert found == NOBODY
    assert accounts.identity(found) == {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    with pytest.raises(KeyError, match="no-such-user or neither"):
        accounts.unprivileged(("no-such-user", "neither"))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "reached"),
    [
        pytest.param(0o711, 1, 1, True, id="others may enter"),
        pytest.param(0o770, 1, 1, False, id="others may not"),
        pytest.param(0o700, NOBODY.pw_uid, 1, True, id="owner"),
        pytest.param(0o077, NOBODY.pw_uid, 1, False, id="owner shut out"),
        pytest.param(0o710, 1, NOBODY.pw_gid, True, id="group"),
        pytest.param(0o701, 1, NOBODY.pw_gid, False, id="group shut out"),
    ],
)
def test_reaching_a_directory(monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, group: int, reached: bool) -> None:
    def stat(path: Path, **_more: Any) -> SimpleNamespace:
        return SimpleNamespace(st_mode=0o40000 | (mode if path.name == "closed" else 0o755), st_uid=owner, st_gid=group)

    monkeypatch.setattr(Path, "is_dir", lambda _path: True)
    monkeypatch.setattr(Path, "stat", stat)
    assert accounts.reaches(NOBODY, Path("/somewhere/closed/inside")) is reached


def test_the_present_account_reaches_everything() -> None:
    assert accounts.reaches(None, Path("/closed/anything"))
