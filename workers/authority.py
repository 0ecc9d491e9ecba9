"""A certificate authority of one sandbox's own: what it signs is trusted inside that sandbox and nowhere else."""

import ssl
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEAVES = 256
"""Certificates kept; the one that was longest not asked for goes first."""
_AUTHORITY_TIME = timedelta(days=365)
_LEAF_TIME = timedelta(days=7)
_RENEW_TIME = timedelta(days=1)
_SKEW = timedelta(hours=1)
_NAME_LETTERS = 64
_PLACES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
           "/etc/ssl/cert.pem")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for one host and its key, both PEM."""

    certificate: str
    key: str = field(repr=False)
    until: datetime


class Authority:
    """EC P-256. The key stays in this process; `bundle` is the file to show inside: the system's roots and this one.

    `roots` is the file of the system's roots, with which upstreams are verified; None where this host has none.
    """

    def __init__(
        self, bundle: Path, roots: Path | None, key: ec.EllipticCurvePrivateKey, root: x509.Certificate
    ) -> None:
        self.bundle = bundle
        self.roots = roots
        self._key = key
        self._root = root
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()

    @classmethod
    def make(cls, bundle: Path, sandbox: str, *, roots: Path | None = None) -> Self:
        """Make one for a sandbox and write the file `bundle`. `roots` instead of the system's. Raises OSError."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Signet sandbox {sandbox}"[:_NAME_LETTERS])])
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        root = (
            _builder(name, name, key.public_key(), _AUTHORITY_TIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        authority = cls(bundle, roots or system_roots(), key, root)
        authority.write()
        return authority

    @classmethod
    def restored(cls, bundle: Path, saved: str, *, roots: Path | None = None) -> Self:
        """Take up again what `saved` gave, for a sandbox that outlived the process; its bundle stands already."""
        key = load_pem_private_key(saved.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("what was saved is no key of an authority")
        return cls(bundle, roots or system_roots(), key, x509.load_pem_x509_certificates(saved.encode())[0])

    def saved(self) -> str:
        """Give key and certificate, PEM. A secret: it goes through a descriptor at most."""
        return _pem(self._key) + self._root.public_bytes(Encoding.PEM).decode()

    def write(self) -> None:
        """Write the bundle, readable by everybody. Raises OSError."""
        system = self.roots.read_bytes() if self.roots else b""
        self.bundle.write_bytes(system.rstrip() + b"\n" + self._root.public_bytes(Encoding.PEM))
        self.bundle.chmod(0o644)

    def leaf(self, host: str) -> Leaf:
        """Give a certificate for a name or an address, made when it is first asked for. Raises ValueError."""
        found = self._leaves.get(host)
        if found is None or found.until - _RENEW_TIME < datetime.now(UTC):
            found = self._leaves[host] = self._mint(host)
        self._leaves.move_to_end(host)
        if len(self._leaves) > LEAVES:
            self._leaves.popitem(last=False)
        return found

    def _mint(self, host: str) -> Leaf:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:_NAME_LETTERS])])
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self._root.subject, self._leaf_key.public_key(), _LEAF_TIME)
            .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(signer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        text = certificate.public_bytes(Encoding.PEM).decode()
        return Leaf(text, _pem(self._leaf_key), certificate.not_valid_after_utc)


def system_roots() -> Path | None:
    """Find the file with the certificates that this host trusts; $SSL_CERT_FILE first."""
    known = ssl.get_default_verify_paths()
    return next((Path(place) for place in (known.cafile, *_PLACES) if place and Path(place).is_file()), None)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + valid)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
