"""Certificates that an app's owner brings: what they are for, and whether they can be used. Pure.

`read` judges what was brought; which domain it serves is the domain's word (`Domain.endpoint_id`).
What it needs of cryptography is imported then only: it takes megabytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paas.apps.domains import covers
from paas.errors import UserError
from paas.settings import Settings

if TYPE_CHECKING:
    from cryptography import x509

BYTES_MAX = 64 * 1024
CHAIN_MAX = 10


@dataclass(frozen=True)
class Content:
    """What a chain with its key says. `names` are host names, perhaps with `*` as first label."""

    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...]
    subject: str
    issuer: str
    starts_at: datetime
    expires_at: datetime
    is_trusted: bool


@dataclass(frozen=True)
class ProvidedCertificate:
    """Heroku calls it an SNI endpoint. `name` is the platform's choice."""

    id: str
    app_id: str
    name: str
    content: Content
    created_at: datetime
    updated_at: datetime

    def serves(self, hostname: str) -> bool:
        """A certificate's wildcard covers a wildcard domain of the same name too."""
        return any(name == hostname or covers(name, hostname) for name in self.content.names)


def best(found: Iterable[ProvidedCertificate], hostname: str) -> ProvidedCertificate | None:
    """The one that a domain gets when nobody chooses: the one that is good for longest."""
    serving = [each for each in found if each.serves(hostname)]
    return max(serving, key=lambda each: each.content.expires_at, default=None)


def no_tls(settings: Settings) -> UserError:
    return UserError(
        "invalid_params",
        "The router speaks no TLS here: nobody would ever see the certificate.",
        f"On the server: put router_tls_port = 8443 into /etc/smartplatform/{settings.installation}"
        ".toml, then paas down; paas up -d",
    )


def read(chain: str, key: str, now: datetime, trusted: bytes = b"") -> Content:
    """Both as PEM. The leaf is put first, its issuers behind it. Raises UserError.

    `trusted` are the root certificates that visitors trust, as PEM. No message has a byte of a key.
    """
    private = _key(chain, key)
    certificates = _certificates(chain)
    public = _public(private)
    leaf = next((each for each in certificates if _public(each) == public), None)
    if leaf is None:
        raise _refusal("The private key belongs to none of the certificates.")
    names = _names(leaf)
    if leaf.not_valid_after_utc <= now:
        raise _refusal(f"The certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}.")
    ordered = _ordered(leaf, certificates)
    return Content(
        chain="".join(_pem(each) for each in ordered),
        key=key.strip() + "\n",
        names=names,
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        starts_at=leaf.not_valid_before_utc,
        expires_at=leaf.not_valid_after_utc,
        is_trusted=_is_trusted(ordered, names, now, trusted),
    )


def _key(chain: str, key: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if max(len(chain), len(key)) > BYTES_MAX:
        raise _refusal(f"A certificate or key has over {BYTES_MAX} bytes.")
    if "PRIVATE KEY" in chain and "BEGIN CERTIFICATE" in key:
        raise _refusal("Certificate and key are swapped.", "The certificate comes first.")
    if "ENCRYPTED" in key:
        raise _refusal(
            "The private key is encrypted.", "Decrypt it: openssl pkey -in KEY -out KEY.plain"
        )
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as error:
        raise _refusal(
            "The private key is no PEM key.",
            "It begins with -----BEGIN PRIVATE KEY-----. From DER: openssl pkey -inform der "
            "-in KEY -out KEY.pem",
        ) from error
    except Exception as error:  # UnsupportedAlgorithm of more than one module
        raise _refusal("The private key is of a kind that is not supported.") from error
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        return private
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return private
    raise _refusal("The private key must be RSA of 2048 bits or more, or on P-256 or P-384.")


_CURVES = ("secp256r1", "secp384r1")


def _certificates(chain: str) -> "list[x509.Certificate]":
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(chain.encode())
    except ValueError as error:
        raise _refusal(
            "The certificate is not PEM.",
            "It begins with -----BEGIN CERTIFICATE-----. From DER: openssl x509 -inform der "
            "-in CRT -out CRT.pem",
        ) from error
    if len(found) > CHAIN_MAX:
        raise _refusal(f"The chain has more than {CHAIN_MAX} certificates.")
    return found


def _public(holder: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = holder.public_key()
    found: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _names(leaf: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    if not names:
        raise _refusal(
            "The certificate names no host (subjectAltName), so no browser accepts it.",
            "Ask for it again with the names: -addext subjectAltName=DNS:www.example.com",
        )
    return tuple(dict.fromkeys(name.lower() for name in names))


def _ordered(
    leaf: "x509.Certificate", certificates: "list[x509.Certificate]"
) -> "list[x509.Certificate]":
    """The leaf, who signed it, who signed that …; what belongs to none of these is left out."""
    ordered, rest = [leaf], [each for each in certificates if each != leaf]
    while ordered[-1].issuer != ordered[-1].subject:
        above = next((each for each in rest if each.subject == ordered[-1].issuer), None)
        if above is None:
            break
        rest.remove(above)
        ordered.append(above)
    return ordered


def _pem(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _is_trusted(
    ordered: "list[x509.Certificate]", names: tuple[str, ...], now: datetime, trusted: bytes
) -> bool:
    """Whether a visitor with these roots accepts it, with what comes along."""
    from cryptography import x509
    from cryptography.x509 import verification

    name = names[0].replace("*", "www", 1)
    try:
        store = verification.Store(x509.load_pem_x509_certificates(trusted))
        builder = verification.PolicyBuilder().store(store).time(now)
        builder.build_server_verifier(x509.DNSName(name)).verify(ordered[0], ordered[1:])
    except (ValueError, verification.VerificationError):
        return False
    return True


def _refusal(message: str, hint: str = "") -> UserError:
    return UserError("invalid_params", message, hint)
