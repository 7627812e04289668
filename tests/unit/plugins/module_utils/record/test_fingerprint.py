# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the fingerprint."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.record.fingerprint import controller_fingerprint, package_versions, script_digest


def test_the_digest_knows_every_script_and_its_name(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.js").write_text("1", encoding="utf-8")
    before = script_digest(tmp_path)
    (tmp_path / "notes.md").write_text("no script", encoding="utf-8")
    assert script_digest(tmp_path) == before
    (tmp_path / "lib" / "a.js").rename(tmp_path / "lib" / "b.js")
    renamed = script_digest(tmp_path)
    (tmp_path / "lib" / "b.js").write_text("2", encoding="utf-8")
    assert len({before, renamed, script_digest(tmp_path)}) == 3


def test_a_package_that_is_not_there_has_no_version():
    versions = package_versions(("pandas", "no-such-package-anywhere"))
    assert versions["pandas"].startswith("3.")
    assert versions["no-such-package-anywhere"] is None


def test_the_whole_has_three_parts(tmp_path):
    assert set(controller_fingerprint(tmp_path)) == {"script_digest", "controller_python", "packages"}
