# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of variables and the command that `make cluster-up` leaves to people."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from pathlib import Path

import yaml

from node.layout import Layout
from run_settings import ROOT, suite_command, write_variables

IMAGES = ("mlflow", "postgresql", "postgres-exporter", "k6")


def test_the_variables_and_the_command_of_a_run(tmp_path):
    places = Layout(tmp_path)
    places.state.mkdir()
    places.images.write_text(json.dumps({name: f"localhost/{name}:1" for name in IMAGES}))
    path = write_variables(places)
    variables = json.loads(path.read_text())
    options = defaultdict(set)
    for role in ROOT.glob("roles/*/defaults/main.yml"):
        options[role.parents[1].name] = set(yaml.safe_load(role.read_text()) or {})
    assert set(variables) - {"results_dir"} <= set().union(*options.values())
    assert variables["k6_runner_pod_image"] == "localhost/k6:1"
    assert list(Path(variables["mlflow_operator_manifests"][0]).glob("*.yml"))
    words = shlex.split(suite_command(path))
    assert words[-1] == f"@{path}"
    assert all((ROOT / word).exists() for word in (words[1], words[5], words[6]))
    assert words[2:3] + words[4:5] == ["enter", "-i"]
