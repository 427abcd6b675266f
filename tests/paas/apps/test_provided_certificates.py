"""Certificates as people bring them: any order, wrong files and keys; no key is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from paas.apps.provided_certificates import Content, ProvidedCertificate, best, read
from paas.errors import UserError

NOW = datetime.now(UTC)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(key: Any, encryption: Any = None) -> str:
    kind = serialization.PrivateFormat.PKCS8
    how = encryption or serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, kind, how).decode())


def signed(
    subject: str,
    key: Any,
    issuer: str,
    issuer_key: Any,
    names: tuple[str, ...] = (),
    days: int = 30,
    ca: bool = False,
) -> str:
    builder = (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if ca:
        usage = x509.KeyUsage(*[False] * 5, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    made = builder.sign(issuer_key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


ROOT_KEY, MIDDLE_KEY, KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
ROOT = signed("root", ROOT_KEY, "root", ROOT_KEY, ca=True)
MIDDLE = signed("middle", MIDDLE_KEY, "root", ROOT_KEY, ca=True)
LEAF = signed("www.example.com", KEY, "middle", MIDDLE_KEY, ("www.example.com", "*.example.com"))


@pytest.mark.parametrize("files", [LEAF + MIDDLE, MIDDLE + LEAF, ROOT + MIDDLE + LEAF])
def test_a_chain_is_taken_in_any_order_and_judged_as_a_visitor_would(files: str) -> None:
    found = read(files, pem(KEY), NOW, ROOT.encode())
    assert found.chain.startswith(LEAF + MIDDLE)
    assert found.names == ("www.example.com", "*.example.com")
    assert (found.subject, found.issuer) == ("CN=www.example.com", "CN=middle")
    assert found.is_trusted
    assert not read(files, pem(KEY), NOW).is_trusted
    assert not read(LEAF, pem(KEY), NOW, ROOT.encode()).is_trusted  # the one between is missing


def test_what_belongs_to_none_of_the_chain_is_left_out() -> None:
    stranger = signed("x", ROOT_KEY, "x", ROOT_KEY, ca=True)
    assert read(LEAF + stranger + MIDDLE, pem(KEY), NOW).chain == LEAF + MIDDLE


SMALL = rsa.generate_private_key(65537, 1024)
LOCKED = pem(KEY, serialization.BestAvailableEncryption(b"password"))
NAMELESS = signed("www.example.com", KEY, "middle", MIDDLE_KEY)
OVER = signed("a", KEY, "middle", MIDDLE_KEY, ("a.example.com",), days=-1)


@pytest.mark.parametrize(
    ("chain", "key", "said"),
    [
        (pem(KEY), LEAF, "swapped"),
        (MIDDLE, pem(KEY), "belongs to none"),
        (LEAF, pem(ROOT_KEY), "belongs to none"),
        (LEAF, LOCKED, "encrypted"),
        ("", pem(KEY), "not PEM"),
        ("nonsense", pem(KEY), "not PEM"),
        (LEAF, "nonsense", "no PEM key"),
        (LEAF, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no PEM key"),
        (LEAF, pem(SMALL), "2048 bits"),
        (LEAF, pem(ec.generate_private_key(ec.SECP521R1())), "P-256"),
        (NAMELESS, pem(KEY), "names no host"),
        (OVER, pem(KEY), "ended on"),
        (LEAF * 11, pem(KEY), "more than 10"),
        ("x" * 70_000, pem(KEY), "over 65536 bytes"),
        ("é" * 100, "\ufffd" * 100, "no PEM key"),
    ],
)
def test_what_can_not_serve_is_refused_and_no_key_is_repeated(
    chain: str, key: str, said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read(chain, key, NOW)
    text = caught.value.message + caught.value.hint
    assert not any(line and line in text for line in key.splitlines() if "-----" not in line)


def provided(*names: str, days: int = 30) -> ProvidedCertificate:
    content = Content("", "", names, "", "", NOW, NOW + timedelta(days=days), True)
    return ProvidedCertificate(names[0], "app", names[0], content, NOW, NOW)


def test_a_domain_gets_the_one_that_covers_it_and_is_good_for_longest() -> None:
    wild, www = provided("*.example.com", days=9), provided("www.example.com", days=8)
    assert best([www, wild], "www.example.com") == wild
    assert best([wild], "*.example.com") == wild
    assert best([wild, www], "a.b.example.com") is None
    assert best([wild, www], "example.com") is None
    assert best([www], "*.example.com") is None
