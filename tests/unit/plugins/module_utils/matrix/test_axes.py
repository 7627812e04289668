# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may write into a matrix, and what fails."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError, settings_of

MATRIX = {"schema_version": 1, "name": "t", "axes": {"tenants": [1, 5], "concurrency": [5, 10], "profile": ["closed"]}, "duration": "20s", "warmup": "5s"}


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        pytest.param({"tenants": "1,10,100"}, "tenants", [1, 10, 100], id="comma-separated"),
        pytest.param({"tenants": "[2, 3]"}, "tenants", [2, 3], id="list-as-text"),
        pytest.param({"tenants": [7, 7]}, "tenants", [7], id="doubles-once"),
        pytest.param({"tenants": ""}, "tenants", [1, 5], id="empty-text-is-unset"),
        pytest.param({"tenants": []}, "tenants", [1, 5], id="empty-list-is-unset"),
        pytest.param({"duration": "1h30m"}, "duration_s", 5400, id="duration"),
        pytest.param({"rate": "0.5"}, "profile", ["open"], id="rate-means-open"),
        pytest.param({"rate": 2, "concurrency": 5}, "profile", ["closed", "open"], id="both-axes-mean-both-profiles"),
        pytest.param({"profile": "open", "rate": 2}, "concurrency", [], id="open-needs-no-concurrency"),
        pytest.param({"repeats": "3"}, "repeats", 3, id="repeats"),
        pytest.param({"seed": 0}, "seed", 0, id="seed-zero"),
    ],
)
def test_overrides(overrides, key, expected):
    assert settings_of(MATRIX, overrides)[key] == expected


@pytest.mark.parametrize(
    ("matrix", "overrides", "sentence"),
    [
        pytest.param({}, {"concurrency": 0}, "Axis concurrency: 0 is not allowed.", id="concurrency-zero"),
        pytest.param({}, {"concurrency": "many"}, "Axis concurrency: 'many' is not allowed.", id="concurrency-text"),
        pytest.param({}, {"concurrency": "1.5"}, "Axis concurrency: '1.5' is not allowed.", id="half-a-user"),
        pytest.param({}, {"tenants": True}, "Axis tenants: True is not allowed.", id="bool"),
        pytest.param({}, {"duration": "ten"}, "Setting duration 'ten': is not a duration.", id="duration-text"),
        pytest.param({}, {"duration": "5s"}, "Setting duration: '5s' is too short to tell if it is steady. Give at least 6s.", id="short-window"),
        pytest.param({}, {"warmup": "-1s"}, "Setting warmup '-1s': is not a duration.", id="negative-warm-up"),
        pytest.param({"axes": {"tenant": [1]}}, {}, "Axis tenant: is unknown.", id="unknown-axis"),
        pytest.param({"axes": {}}, {}, "Axis tenants: has no values.", id="no-values"),
        pytest.param({"speed": 1}, {}, "Matrix key speed: is unknown.", id="unknown-key"),
        pytest.param({}, {"speed": 1}, "Setting speed: is unknown.", id="unknown-setting"),
        pytest.param({}, {"profile": "burst"}, "Profile burst: is unknown. Allowed: closed, open.", id="unknown-profile"),
        pytest.param({}, {"profile": "open"}, "Axis rate: has no values.", id="open-without-rate"),
        pytest.param({}, {"order": "random"}, "Order random: is unknown.", id="unknown-order"),
        pytest.param({}, {"state_reset": "run"}, "State reset run: is unknown. Allowed: cell, level, never.", id="unknown-state-reset"),
        pytest.param({}, {"profile": "closed", "rate": 2}, "Axis rate: has no effect with the profile closed.", id="rate-without-open"),
        pytest.param({}, {"profile": ["open"], "rate": 2, "concurrency": 5}, "add the profile closed.", id="concurrency-without-closed"),
        pytest.param({}, {"repeats": "1,2"}, "Setting repeats: '1,2' is not allowed.", id="two-repeats"),
        pytest.param({"load": {"training_share": 2}}, {}, "Load key training_share: 2 is not allowed.", id="share"),
        pytest.param({"load": {"think_time_s": -1}}, {}, "Load key think_time_s: -1 is not allowed.", id="think-time"),
        pytest.param({"load": {"tenant_choice": {"distribution": "normal"}}}, {}, "Tenant choice normal: is unknown.", id="distribution"),
        pytest.param({"load": {"speed": 1}}, {}, "Load key speed: is unknown.", id="load-key"),
    ],
)
def test_invalid_settings(matrix, overrides, sentence):
    with pytest.raises(MatrixError) as error:
        settings_of({**MATRIX, **matrix}, overrides)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("matrix", "overrides", "sentence"),
    [
        pytest.param({}, {"popularity": "hot"}, "Popularity hot: is unknown. Allowed: uniform, zipf, noisy.", id="unknown popularity"),
        pytest.param({}, {"popularity": "noisy"}, "Popularity noisy: needs other tenants beside the noisy one. Give at least 2 tenants.", id="one tenant"),
        pytest.param({"load": {"tenant_choice": {"distribution": "uniform", "factor": 0}}}, {}, "Tenant choice factor 0: is not allowed.", id="factor"),
        pytest.param({"load": {"isolation_per_s": -1}}, {}, "Load key isolation_per_s: -1 is not allowed.", id="trickle"),
    ],
)
def test_invalid_settings_about_tenants(matrix, overrides, sentence):
    with pytest.raises(MatrixError) as error:
        settings_of({**MATRIX, **matrix}, overrides)
    assert sentence in str(error.value)


def test_all_problems_are_named_at_once():
    with pytest.raises(MatrixError) as error:
        settings_of(MATRIX, {"tenants": 0, "concurrency": "x", "duration": "ten"})
    assert len(error.value.problems) == 3
