# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading, ordering and patching manifests."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError


def manifest_of(kind: str, name: str = "one", **more: object) -> dict:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def no_fetch(url: str) -> str:
    raise AssertionError(f"{url} must not be fetched")


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        pytest.param({"kind": "Pod", "metadata": {"namespace": "a", "name": "b"}}, "Pod a/b", id="namespaced"),
        pytest.param({"kind": "Namespace", "metadata": {"name": "a"}}, "Namespace a", id="cluster-wide"),
        pytest.param({}, "Object (no name)", id="nothing"),
    ],
)
def test_object_name(manifest: dict, name: str) -> None:
    assert manifests.object_name(manifest) == name


def test_parse_flattens_lists_and_skips_empty_documents() -> None:
    text = (
        "---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n---\n{apiVersion: v1, kind: B, metadata: {name: b}}\n"
    )
    assert [manifest["kind"] for manifest in manifests.parse(text, "x")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "Manifest x: invalid YAML", id="no-yaml"),
        pytest.param("just a text", "without apiVersion, kind or metadata.name", id="no-object"),
        pytest.param("{apiVersion: v1, kind: A, metadata: {}}", "without apiVersion, kind or metadata.name", id="no-name"),
    ],
)
def test_parse_fails(text: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        manifests.parse(text, "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("=", "=", id="equals sign"),
        *[pytest.param(text, True, id=text) for text in ("true", "yes", "on", "y", "On", "YES")],
        *[pytest.param(text, False, id=text) for text in ("false", "no", "off", "n")],
        *[pytest.param(text, None, id=text or "empty") for text in ("", "~", "null")],
        pytest.param("0o14", 12, id="octal of 1.2"),
        pytest.param("014", 12, id="octal of 1.1"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0b101", 5, id="binary"),
        pytest.param("-0", 0, id="zero"),
        pytest.param("1_000", 1000, id="underscore"),
        pytest.param("08", 8.0, id="no octal"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param("-.5", -0.5, id="fraction"),
        pytest.param("12:30", "12:30", id="no base 60"),
        pytest.param("2026-11-29", "2026-11-29", id="no date"),
        pytest.param("2026-11-29T10:00:00Z", "2026-11-29T10:00:00Z", id="no time"),
        pytest.param("v1.2.3", "v1.2.3", id="text"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("100m", "100m", id="quantity"),
        pytest.param("'yes'", "yes", id="quoted"),
        pytest.param("!!str 5", "5", id="tagged"),
        pytest.param("{5: a, on: b, x: c}", {"5": "a", "true": "b", "x": "c"}, id="keys"),
        pytest.param("{a: 1, a: 2}", {"a": 2}, id="key that comes twice"),
        pytest.param("[&a {x: 1}, {<<: *a, z: 2}]", [{"x": 1}, {"x": 1, "z": 2}], id="merge"),
    ],
)
def test_scalars_are_read_as_kubectl_reads_them(text: str, value: object) -> None:
    """The values are those of sigs.k8s.io/yaml."""
    (found,) = manifests.parse(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  key: {text}\n", "x")
    assert found["data"]["key"] == value
    assert type(found["data"]["key"]) == type(value)  # noqa: E721 - true is not 1


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: .inf", "inf is not a number of JSON", id="infinity"),
        pytest.param("a: !!binary AAEC", "bytes has no form in JSON", id="binary"),
        pytest.param("a: !!set {x}", "set has no form in JSON", id="set"),
        pytest.param("? [a]\n: b", "invalid YAML", id="key that is a list"),
        pytest.param("~: b", "a key is no text", id="key that is nothing"),
        pytest.param("a: &a [*a]", "invalid YAML", id="itself"),
        pytest.param(BOMB, "its aliases make it too large", id="aliases"),
        pytest.param("a: " + "[" * 2000, "invalid YAML", id="depth"),
        pytest.param("a: b\nc: [\n", "expected the node content.*, line 3", id="line"),
    ],
)
def test_what_has_no_form_in_json_is_named(text: str, problem: str) -> None:
    with pytest.raises(ClusterError, match=rf"^Manifest x: invalid YAML \(.*{problem.removeprefix('invalid YAML')}"):
        manifests.parse(text, "x")


def test_json_is_read_with_tabs_and_in_a_row() -> None:
    text = json.dumps(manifest_of("A"), indent="\t") + "\n" + json.dumps(manifest_of("B"))
    assert [manifest["kind"] for manifest in manifests.parse(text, "x")] == ["A", "B"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_are_read_as_editors_save_them(tmp_path, encoding: str) -> None:
    (tmp_path / "a.yml").write_bytes("apiVersion: v1\r\nkind: A\r\nmetadata: {name: a}\r\n---\r\n".encode(encoding))
    assert manifests.read([str(tmp_path / "a.yml")], no_fetch) == [manifest_of("A", "a")]


def test_read_takes_files_directories_and_urls(tmp_path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "b.yaml").write_text("{apiVersion: v1, kind: B, metadata: {name: b}}")
    (tmp_path / "set" / "a.json").write_text('{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}')
    (tmp_path / "set" / "kustomization.yaml").write_text("resources: [b.yaml]")
    (tmp_path / "set" / "notes.txt").write_text("no manifest")
    (tmp_path / "c.yml").write_text("{apiVersion: v1, kind: C, metadata: {name: c}}")
    fetched = {"https://example.com/d.yml": "{apiVersion: v1, kind: D, metadata: {name: d}}"}
    found = manifests.read([str(tmp_path / "set"), str(tmp_path / "c.yml"), *fetched], fetched.__getitem__)
    assert [manifest["kind"] for manifest in found] == ["A", "B", "C", "D"]


def test_read_names_unreadable_sources(tmp_path) -> None:
    with pytest.raises(ClusterError, match=r"gone.yml: unreadable \(No such file"):
        manifests.read([str(tmp_path / "gone.yml")], no_fetch)
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xf0")
    with pytest.raises(ClusterError, match="not text"):
        manifests.read([str(tmp_path / "bytes.yml")], no_fetch)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClusterError, match="no objects"):
        manifests.read([str(tmp_path / "empty")], no_fetch)


def test_in_order_keeps_the_rest_as_written() -> None:
    kinds = ["Deployment", "ClusterRole", "ConfigMap", "CustomResourceDefinition", "ServiceAccount", "Namespace", "Service"]
    ordered = [manifest["kind"] for manifest in manifests.in_order(manifest_of(kind) for kind in kinds)]
    assert ordered == ["Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Deployment", "ConfigMap", "Service"]


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        pytest.param({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}, id="dictionaries"),
        pytest.param({"a": 1, "b": 2}, {"b": None}, {"a": 1}, id="null-removes"),
        pytest.param([{"name": "x", "v": 1}, {"name": "y"}], [{"name": "x", "v": 2}], [{"name": "x", "v": 2}, {"name": "y"}], id="by-name"),
        pytest.param([{"name": "x"}], [{"name": "z"}], [{"name": "x"}, {"name": "z"}], id="new-name"),
        pytest.param([1, 2], [3], [3], id="other-lists-are-replaced"),
        pytest.param({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}, id="another-type"),
        pytest.param(None, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}, id="nothing-before"),
    ],
)
def test_merge(base: object, patch: object, merged: object) -> None:
    assert manifests.merge(base, patch) == merged


def test_patched_changes_the_object_that_it_names() -> None:
    found = manifests.patched([manifest_of("A"), manifest_of("B", spec={"x": 1})], [{"kind": "B", "metadata": {"name": "one"}, "spec": {"x": 2}}])
    assert [manifest.get("spec") for manifest in found] == [None, {"x": 2}]


def test_patched_fails_on_a_patch_without_its_object() -> None:
    with pytest.raises(ClusterError, match="Patch of A other: no manifest of this kind and name"):
        manifests.patched([manifest_of("A")], [{"kind": "A", "metadata": {"name": "other"}}])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("500m", 0.5, id="milli"),
        pytest.param("2", 2.0, id="plain"),
        pytest.param(2, 2.0, id="number"),
        pytest.param("512Mi", 512 * 2**20, id="binary"),
        pytest.param("1G", 1e9, id="decimal"),
        pytest.param(" 1.5 ", 1.5, id="blanks"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param(None, None, id="none"),
        pytest.param("", None, id="empty"),
    ],
)
def test_quantities(text: str | float | None, number: float | None) -> None:
    assert manifests.quantity(text) == number


def test_an_invalid_quantity_is_named() -> None:
    with pytest.raises(ValueError, match="Quantity lots: invalid Kubernetes quantity"):
        manifests.quantity("lots")
