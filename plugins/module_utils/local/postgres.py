# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private PostgreSQL cluster: its own data directory and password, loopback TCP only, never run by root."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run

ROLE = "perfscale"
DATABASE = "mlflow"
WHAT = "PostgreSQL"


class Cluster:
    """The cluster of one state directory.

    Its home is below the state directory, or, where the unprivileged user cannot reach that (below a closed home, say), in a private
    directory of /var/tmp that is recorded in the state directory.
    """

    def __init__(self, state_dir: str, bin_dir: str = ""):
        self.state_dir = Path(os.path.abspath(state_dir))
        self.bin_dir = Path(bin_dir)
        self.passfile = self.state_dir / "postgres.pgpass"
        self.pointer = self.state_dir / "postgres.location"

    def home(self) -> Path | None:
        """Return the home of an existing cluster, or None."""
        home = Path(self.pointer.read_text(encoding="utf-8").strip()) if self.pointer.exists() else None
        return home if home and (home / "data/PG_VERSION").exists() else None

    def details(self, home: Path) -> dict[str, Any]:
        """Return the module's `cluster` dictionary."""
        account = self._account()
        programs = self._copied_to(home) / "bin"
        return {
            "data_dir": str(home / "data"),
            "home": str(home),
            "bin_dir": str(programs if programs.exists() else self.bin_dir),
            "user": account.pw_name if account else None,
            "passfile": str(self.passfile),
            "role": ROLE,
            "database": DATABASE,
        }

    def ensure(self, version: str) -> tuple[dict[str, Any], bool]:
        """Create the cluster unless it exists; return its description and whether it was created. Raises ToolError.

        `version` is that of the programs; a cluster of another major version is an error.
        """
        home = self.home()
        if home:
            found = (home / "data/PG_VERSION").read_text(encoding="utf-8").strip()
            if found != version.split(".", maxsplit=1)[0]:
                raise ToolError(
                    f"{WHAT} cluster {home}: created by version {found}, the programs are {version}. "
                    "Use programs of that version, or start empty with local_stack_reset=true."
                )
            return self.details(home), False
        try:
            home = self._create_home()
            self._initialize(home)
        except OSError as error:
            raise ToolError(f"{WHAT} cluster {self.state_dir}: {error.strerror} ({error.filename}). Choose another local_stack_state_dir.") from error
        return self.details(home), True

    def remove(self) -> bool:
        """Remove the cluster and its password; return whether there was one."""
        existed = self.pointer.exists()
        if existed:
            shutil.rmtree(self.pointer.read_text(encoding="utf-8").strip(), ignore_errors=True)
        for path in (self.pointer, self.passfile):
            path.unlink(missing_ok=True)
        return existed

    def _account(self) -> Any:
        try:
            return commands.unprivileged()
        except KeyError as error:
            raise ToolError(f"{WHAT}: root may not run it, and no user {error.args[0]} exists. Create one of them, or choose DB_BACKEND=sqlite.") from error

    def _create_home(self) -> Path:
        account = self._account()
        self.remove()
        self.state_dir.mkdir(parents=True, exist_ok=True)
        home = self.state_dir / "cluster"
        if commands.reaches(account, self.state_dir):
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(mode=0o700)
        else:
            home = Path(tempfile.mkdtemp(prefix="perfscale-postgres-", dir="/var/tmp"))
        if account:
            os.chown(home, account.pw_uid, account.pw_gid)
        # Recorded before anything is in it, so that an interrupted start leaves no unknown files behind.
        write_text(self.pointer, f"{home}\n", mode=0o600)
        if not commands.reaches(account, self.bin_dir):
            shutil.copytree(self.bin_dir.parent, self._copied_to(home), symlinks=True)
            libraries = self._libraries()
            if libraries.is_dir():
                shutil.copytree(libraries, home / "server" / libraries.name, symlinks=True)
        return home

    def _copied_to(self, home: Path) -> Path:
        """Return where the programs are copied, in the same layout: they find their files relative to themselves."""
        return home / "server" / self.bin_dir.parents[1].name / self.bin_dir.parent.name

    def _libraries(self) -> Path:
        """Return where a wheel keeps the shared libraries of its package (auditwheel's layout)."""
        package = self.bin_dir.parents[1]
        return package.with_name(f"{package.name}.libs")

    def _initialize(self, home: Path) -> None:
        account = self._account()
        identity = commands.identity(account)
        programs = Path(self.details(home)["bin_dir"])
        remedy = "Check the programs in " + str(programs) + ", or choose DB_BACKEND=sqlite"
        password = secrets.token_urlsafe(24)
        given = home / "password"
        write_text(given, password + "\n", mode=0o600)
        if account:
            os.chown(given, account.pw_uid, account.pw_gid)
        data = home / "data"
        options = ["--username", ROLE, "--pwfile", str(given), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        try:
            run([str(programs / "initdb"), "-D", str(data), *options], WHAT, remedy, chdir=home, identity=identity)
        finally:
            given.unlink()
        # Single-user mode creates the database without a server, a port or a visible password.
        single = [str(programs / "postgres"), "--single", "-D", str(data), "postgres"]
        run(single, WHAT, remedy, chdir=home, identity=identity, text=f'CREATE DATABASE "{DATABASE}";\n')
        write_text(self.passfile, f"127.0.0.1:*:*:{ROLE}:{password}\n", mode=0o600)
