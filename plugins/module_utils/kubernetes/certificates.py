# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a server inside a cluster: a private authority made for one server, and what can be read from those that are there."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Iterable

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:  # the modules report it with missing_required_lib
    x509 = None
    CRYPTOGRAPHY_ERROR: str | None = traceback.format_exc()
else:
    CRYPTOGRAPHY_ERROR = None

# Clocks of nodes differ; a certificate that begins now would not be valid on some of them.
_BEGINS_BEFORE = datetime.timedelta(hours=1)


def issue(names: list[str], days: int, now: datetime.datetime | None = None) -> dict[str, bytes]:
    """Returns {ca.crt, tls.crt, tls.key} in PEM for a server with these DNS names, valid for `days`.

    The authority signs this one certificate; its key is forgotten, so nothing else can ever be signed with it.
    """
    begin = now or datetime.datetime.now(datetime.UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = _name(f"perfscale.mlflow authority of {names[0]}"[:64]), _name(names[0][:64])
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())

    def start(name: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        named = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public_key).serial_number(x509.random_serial_number())
        return named.not_valid_before(begin - _BEGINS_BEFORE).not_valid_after(begin + datetime.timedelta(days=days))

    root = (
        start(issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        start(subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
        .sign(authority, hashes.SHA256())
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


def serves(certificate: bytes, names: Iterable[str], days: float, now: datetime.datetime | None = None) -> bool:
    """Returns whether a PEM certificate (the first of a chain) is for all DNS names and valid for `days` more. False for anything unreadable."""
    moment = now or datetime.datetime.now(datetime.UTC)
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    covered = set(alternative.get_values_for_type(x509.DNSName))
    return set(names) <= covered and leaf.not_valid_before_utc <= moment and leaf.not_valid_after_utc >= moment + datetime.timedelta(days=days)


def trusted_by(chain: bytes, authorities: bytes) -> bool:
    """Returns whether one of the PEM authorities signed the last certificate of a PEM chain. False for anything unreadable."""
    try:
        last, trusted = x509.load_pem_x509_certificates(chain)[-1], x509.load_pem_x509_certificates(authorities)
    except ValueError:
        return False
    for authority in trusted:
        try:
            last.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False
