# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas of both configurations and the scripts' own validation accept and reject the same."""

from __future__ import annotations

import json

import jsonschema
import pytest

from fakes.k6_configs import load_config, prefill_config
from programs.k6 import ROOT

URL = "http://127.0.0.1:5000"
OUT = {"out_dir": "/results"}
VALID = [
    pytest.param("load_config", load_config(URL), id="closed"),
    pytest.param("load_config", load_config(URL, profile={"kind": "open", "rate": 0.5, "users_max": 10}), id="open"),
    pytest.param("load_config", load_config(URL, tenants={"prefix": "t", "count": 1, "choice": {"distribution": "zipf", "exponent": 1.0}}), id="zipf"),
    pytest.param("load_config", load_config(URL, start_at=1_795_000_000.5, shards=4, vus={"training": 4, "browsing": 16}), id="shards"),
    pytest.param("load_config", load_config(URL, start_at=None, vus=None), id="no shards"),
    pytest.param("prefill_config", prefill_config(URL), id="prefill"),
]
INVALID = [
    pytest.param("load_config", load_config(URL, profile={"kind": "closed", "concurrency": 0}), id="concurrency 0"),
    pytest.param("load_config", load_config(URL, profile={"kind": "spike"}), id="unknown profile"),
    pytest.param("load_config", load_config("mlflow:5000"), id="no scheme"),
    pytest.param("load_config", load_config(URL, training_share=2), id="share"),
    pytest.param("load_config", load_config(URL, token="secret"), id="a token in the file"),
    pytest.param("load_config", load_config(URL, shards=0), id="no shard"),
    pytest.param("load_config", load_config(URL, start_at=0), id="start before the epoch"),
    pytest.param("load_config", load_config(URL, vus={"training": 4}), id="VUs of one journey"),
    pytest.param("prefill_config", prefill_config(URL, tenants={"prefix": "t", "numbers": []}), id="no tenant"),
    pytest.param("prefill_config", prefill_config(URL, data_set={"digest": "x"}), id="no shape"),
]


def schema(name):
    return json.loads((ROOT / "files" / "schemas" / f"{name}.json").read_text())


@pytest.mark.parametrize(("name", "config"), VALID)
def test_valid(name, config):
    jsonschema.validate(config | OUT, schema(name))


@pytest.mark.parametrize(("name", "config"), INVALID)
def test_invalid(name, config):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config | OUT, schema(name))
