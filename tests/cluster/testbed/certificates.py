"""A certificate authority and keys for one cluster, made when it comes up and gone with it."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=7)  # longer than anybody leaves a test cluster running
EARLIER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in PEM files of the same name."""

    certificate: Path
    key: Path


class Authority:
    """Signs what the cluster's parts show each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "testbed")])
        builder = _certificate(self._name, self._key.public_key(), self._name)
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = builder.add_extension(constraint, critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.pair = self._write("ca", self._certificate, self._key)

    def client(self, user: str, *groups: str) -> Pair:
        """Return a pair that says who somebody is; a group `system:masters` may do everything."""
        organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = [*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)]
        name = "client-" + user.replace(":", "-")
        return self._sign(name, x509.Name(subject), ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def server(self, name: str, *hosts: str) -> Pair:
        """Return a pair for a server at these names and addresses."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self._sign(name, subject, ExtendedKeyUsageOID.SERVER_AUTH, hosts)

    def signing_key(self, name: str) -> Pair:
        """Return a bare key and its public half: for the tokens of service accounts."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        pair = Pair(self._folder / f"{name}.pub", self._folder / f"{name}.key")
        pair.certificate.write_bytes(public)
        _write_secret(pair.key, _pem(key))
        return pair

    def kubeconfig(self, path: Path, *, server: str, client: Pair, name: str) -> Path:
        """Write how to reach the API server as a client: complete in itself, for its owner only."""
        cluster = {"server": server, "certificate-authority-data": _encoded(self.pair.certificate)}
        user = {
            "client-certificate-data": _encoded(client.certificate),
            "client-key-data": _encoded(client.key),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        _write_secret(path, yaml.safe_dump(document, sort_keys=False).encode())
        return path

    def _sign(
        self,
        name: str,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        hosts: tuple[str, ...],
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(subject, key.public_key(), self._name)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_secret(pair.key, _pem(key))
        return pair


def _certificate(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(public).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - EARLIER).not_valid_after(now + VALID)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
