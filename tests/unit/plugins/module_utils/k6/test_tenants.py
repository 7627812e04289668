# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants.csv."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import tenant_blocks
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Kind
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.tenants import write_tenants


def test_one_line_per_tenant(tmp_path):
    pools = {Kind("a", "", "tenant-1", 200, ""): [100 * n for n in range(1, 6)], Kind("a", "", "tenant-2", 500, ""): [250]}
    write_tenants(tmp_path / "tenants.csv", tenant_blocks(pools, 2))
    assert (tmp_path / "tenants.csv").read_text().splitlines() == [
        "tenant,n,ok,failed,rate_per_s,p50_ms,p95_ms,max_ms",
        "tenant-1,5,5,0,2.5,3.0,,5.0",
        "tenant-2,1,0,1,0.5,,,2.5",
    ]
