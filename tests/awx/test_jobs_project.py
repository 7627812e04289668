# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that can start, or fail with one sentence: what the execution environment lacks, and survey answers that cannot be used."""

from __future__ import annotations

import pytest

# An execution environment with ansible-core alone: this machine has the package that brings many collections.
BARE = {"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}


def test_the_embedded_environment_needs_no_other_collection(launch):
    job = launch("preflight", environment=BARE)
    assert job.end() == 0


def test_a_cluster_without_its_collection_fails_with_one_sentence(launch):
    job = launch("preflight", environment=BARE, inventory="kubernetes")
    assert job.end() != 0
    assert "Collection kubernetes.core: not installed. Let the controller install what the project's requirements.yml names" in job.output
    assert "Traceback" not in job.output


@pytest.mark.parametrize(
    ("answers", "sentences"),
    [
        pytest.param(
            {"test_matrix_tenants": "0", "test_matrix_repeats": 0}, ["Axis tenants: '0' is not allowed", "Setting repeats: 0 is not allowed"], id="numbers"
        ),
        pytest.param({"test_matrix_duration": "soon"}, ["is not a duration"], id="duration"),
        pytest.param({"test_matrix_preset": "huge"}, ["Preset huge: is unknown"], id="preset"),
    ],
)
def test_answers_out_of_range_are_named(launch, answers, sentences):
    job = launch("preflight", answers)
    assert job.end() == 2
    assert [sentence for sentence in sentences if sentence not in job.output] == []
    assert "Traceback" not in job.output
