# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of servers in a cluster: issued by a private CA, stored in a TLS Secret, and collected into the CA bundle of clients."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:  # the modules report it with missing_required_lib
    x509 = None  # type: ignore[assignment]
    CRYPTOGRAPHY_ERROR: str | None = traceback.format_exc()
else:
    CRYPTOGRAPHY_ERROR = None

# Clocks of nodes differ; a certificate that is valid from now on would not be valid yet on some of them.
_BACKDATED = datetime.timedelta(hours=1)
# With fewer days of remaining validity our own certificate is renewed.
RENEW_DAYS = 14
# The sources of the certificates of a CA bundle.
CA_SOURCES = ("Secret", "ConfigMap", "File")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def issue(names: list[str], days: int, now: datetime.datetime | None = None) -> dict[str, bytes]:
    """Return {ca.crt, tls.crt, tls.key} in PEM for a server with these DNS names, valid for `days`.

    The CA signs this one certificate; its key is discarded, so nothing else can ever be signed with it.
    """
    begin = now or datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = _name(f"perfscale.mlflow CA of {names[0]}"[:64]), _name(names[0][:64])
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())

    def start(name: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        named = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public_key).serial_number(x509.random_serial_number())
        return named.not_valid_before(begin - _BACKDATED).not_valid_after(begin + datetime.timedelta(days=days))

    root = (
        start(issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        start(subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"ca.crt": root.public_bytes(serialization.Encoding.PEM), "tls.crt": leaf.public_bytes(serialization.Encoding.PEM), "tls.key": private}


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def is_valid_for(certificate: bytes, names: Iterable[str], days: float, now: datetime.datetime | None = None) -> bool:
    """Return whether a PEM certificate (the first of a chain) is for all DNS names and valid for `days` more. False for anything unreadable."""
    moment = now or datetime.datetime.now(datetime.UTC)
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    covered = set(alternative.get_values_for_type(x509.DNSName))
    return set(names) <= covered and leaf.not_valid_before_utc <= moment and leaf.not_valid_after_utc >= moment + datetime.timedelta(days=days)


def is_signed_by(chain: bytes, ca_certificates: bytes) -> bool:
    """Return whether one of the PEM CA certificates signed the last certificate of a PEM chain. False for anything unreadable."""
    try:
        last, trusted = x509.load_pem_x509_certificates(chain)[-1], x509.load_pem_x509_certificates(ca_certificates)
    except ValueError:
        return False
    for ca_certificate in trusted:
        try:
            last.verify_directly_issued_by(ca_certificate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def ensure_secret(
    objects: Objects, namespace: str, name: str, dns_names: list[str], days: int, labels: Mapping[str, str] | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Return {changed, owned, fingerprint} once the Secret holds a valid certificate; the private key is only in the Secret.

    The fingerprint changes with the certificate, so that a server which reads it once can be restarted. One of ours is renewed, an unmanaged one
    only read. Raises ClusterError, also for an unmanaged Secret that cannot serve these names.
    """
    found = objects.cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    data = _decoded(found or {})
    certificate = data.get("tls.crt", b"")
    if found is not None and not ownership.is_ours(found):
        # Its owner chose the names; the one that clients use has to be among them.
        if not is_valid_for(certificate, dns_names[:1], days=0):
            raise ClusterError(
                f"Secret {namespace}/{name}: not managed by this collection, and its certificate is expired or not for {dns_names[0]}. "
                "Replace it, or delete it so that one is created."
            )
        return {"changed": False, "owned": False, "fingerprint": _fingerprint(certificate)}
    if is_valid_for(certificate, dns_names, RENEW_DAYS) and is_signed_by(certificate, data.get("ca.crt", b"")):
        return {"changed": False, "owned": True, "fingerprint": _fingerprint(certificate)}
    issued = issue(dns_names, days)
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in issued.items()},
    }
    if not dry_run:
        objects.present(manifest)
    return {"changed": True, "owned": True, "fingerprint": _fingerprint(issued["tls.crt"])}


def _fingerprint(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()[:16]


def _decoded(secret: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def collect_ca_certificates(cluster: Cluster, sources: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the distinct PEM certificates of all sources, and the names of those sources that have none.

    Only certificates are read from a source, whatever else it holds. Raises ClusterError.
    """
    certificates: dict[str, None] = {}
    missing = []
    for source in sources:
        found = _CERTIFICATE.findall(_source_text(cluster, source))
        certificates |= dict.fromkeys(found)
        if not found:
            missing.append(_source_name(source))
    return list(certificates), missing


def _source_name(source: Mapping[str, Any]) -> str:
    if source["kind"] == "File":
        return f"File {source['name']}"
    return f"{source['kind']} {source['namespace']}/{source['name']}, key {source['key']}"


def _source_text(cluster: Cluster, source: Mapping[str, Any]) -> str:
    kind = source["kind"]
    if kind == "File":
        try:
            return Path(source["name"]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise ClusterError(f"CA file {source['name']}: unreadable ({why}). Correct the path or its permissions.") from error
    if not source.get("namespace") or not source.get("key"):
        raise ClusterError(f"{kind} {source['name']}: missing namespace or key. Set both.")
    found = cluster.get(f"/api/v1/namespaces/{source['namespace']}/{kind.lower()}s/{source['name']}") or {}
    value = (found.get("data") or {}).get(source["key"], "")
    return base64.b64decode(value).decode("utf-8", "replace") if kind == "Secret" else value
