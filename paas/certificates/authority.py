"""The installation's own authority: for laptops and LANs, and for names that no other signs.

Its root is made once and kept; who trusts it in a browser trusts this installation and no other
thing: the root may sign host names only, through no further authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paas.errors import PlatformError
from paas.system.files import write_by_rename

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
_BACKDATED = timedelta(hours=1)
"""Clocks of visitors may be behind."""


@dataclass(frozen=True)
class Issued:
    """A certificate with what signed it, and its private key, as PEM."""

    chain: str
    key: str = field(repr=False)

    @property
    def life(self) -> tuple[datetime, datetime]:
        leaf = x509.load_pem_x509_certificate(self.chain.encode())
        return leaf.not_valid_before_utc, leaf.not_valid_after_utc


class Authority:
    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def open(cls, path: Path, name: str) -> "Authority":
        """The authority whose root (certificate and key) is at `path`; made when there is none.

        One file holds both, so that no crash can leave one without the other. Beside it,
        `root.pem` has the certificate alone. Raises PlatformError for a file that is damaged.
        """
        whole = path.with_name("root.key")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not whole.exists():
            write_by_rename(whole, _new_root(name))
        try:
            text = whole.read_bytes()
            key = serialization.load_pem_private_key(text, None)
            certificate = x509.load_pem_x509_certificate(text)
        except ValueError as error:
            raise PlatformError(f"{whole} is damaged: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise PlatformError(f"{whole} has a key of another kind")
        write_by_rename(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return cls(certificate, key)

    def issue(self, hostnames: Sequence[str]) -> Issued:
        """A certificate for host names (perhaps with `*` as the first label) and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        alternatives = x509.SubjectAlternativeName([_name(each) for each in hostnames])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        leaf = (
            x509.CertificateBuilder(serial_number=x509.random_serial_number())
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + LEAF_LIFE)
            .add_extension(alternatives, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Issued(leaf.public_bytes(serialization.Encoding.PEM).decode(), pem(key).decode())


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _new_root(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SmartPlatform"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root {now:%Y-%m-%d}"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    own_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own_key, critical=False)
        .sign(key, hashes.SHA256())
    )
    return root.public_bytes(serialization.Encoding.PEM) + pem(key)
