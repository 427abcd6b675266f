"""When to ask again, when to renew, and who signs for which name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.certificates import (
    Certificate,
    Issuer,
    State,
    dns_pause,
    explanation,
    failure_pause,
    renewal,
)
from paas.certificates import hostnames
from paas.certificates.authority import Authority
from paas.errors import PlatformError
from paas.settings import Settings

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KNOWN = Certificate("a.dev", Issuer.ACME, State.ISSUED, "", 0, NOW, NOW)


@given(st.floats(0, 1), st.integers(1, 400))
def test_renewal_is_at_two_thirds_of_its_life_and_a_little_later(chance: float, days: int) -> None:
    life = timedelta(days=days)
    at = renewal(NOW, NOW + life, chance)
    assert NOW + life * 0.66 < at < NOW + life * 0.72


@given(st.integers(0, 10_000))
def test_pauses_grow_and_have_an_end(attempts: int) -> None:
    assert timedelta(seconds=30) <= dns_pause(attempts) <= dns_pause(attempts + 1)
    assert dns_pause(attempts) <= timedelta(hours=1)
    assert timedelta(minutes=10) <= failure_pause(attempts) <= failure_pause(attempts + 1)
    assert failure_pause(attempts) <= timedelta(hours=24)
    assert failure_pause(attempts, rate_limited=True) >= timedelta(hours=1)


def test_few_failures_an_hour_are_made() -> None:
    waits = [failure_pause(attempts) for attempts in range(5)]
    assert sum(waits[:4], timedelta()) > timedelta(hours=1)


def test_an_ended_certificate_is_not_usable() -> None:
    known = replace(KNOWN, chain="x", expires_at=NOW)
    assert known.usable(NOW - timedelta(seconds=1))
    assert not known.usable(NOW)
    assert not replace(known, chain="").usable(NOW - timedelta(days=1))


def test_the_explanation_says_the_reason_and_the_next_try() -> None:
    failed = replace(KNOWN, state=State.FAILED, reason="no proof")
    assert explanation(failed) == "no proof; next try 2026-11-22 00:00 UTC"
    assert explanation(KNOWN) == ""
    assert "paas certs:root" in explanation(replace(KNOWN, issuer=Issuer.LOCAL))
    wildcard = replace(KNOWN, issuer=Issuer.LOCAL, hostname="*.example.com")
    assert "paas certs:add CRT KEY" in explanation(wildcard)


def test_nobody_is_asked_unless_the_operator_says_so() -> None:
    assert hostnames.acme_directory(Settings()) == ""
    assert hostnames.acme_directory(Settings(acme_email="o@a.dev")) == hostnames.LETS_ENCRYPT
    own = Settings(acme_email="o@a.dev", acme_directory="https://ca.lan/dir")
    assert hostnames.acme_directory(own) == "https://ca.lan/dir"


@pytest.mark.parametrize(
    ("hostname", "without", "public", "own"),
    [
        ("www.example.com", Issuer.LOCAL, Issuer.ACME, Issuer.ACME),
        ("*.example.com", Issuer.LOCAL, Issuer.LOCAL, Issuer.LOCAL),
        ("hello.localhost", Issuer.LOCAL, Issuer.LOCAL, Issuer.LOCAL),
        ("shop.office.lan", Issuer.LOCAL, Issuer.LOCAL, Issuer.ACME),
        ("printer.local", Issuer.LOCAL, Issuer.LOCAL, Issuer.ACME),
    ],
)
def test_who_signs_for_which_name(
    hostname: str, without: Issuer, public: Issuer, own: Issuer
) -> None:
    assert hostnames.issuer(Settings(), hostname) is without
    assert hostnames.issuer(Settings(acme_email="o@a.dev"), hostname) is public
    assert hostnames.issuer(Settings(acme_directory="https://ca.lan/dir"), hostname) is own


def test_apps_domains_and_the_default_want_one() -> None:
    settings = Settings(base_domains=("localhost", "apps.dev"), acme_email="o@a.dev")
    assert hostnames.wanted(settings, ["shop"], ["www.shop.dev"]) == {
        "shop.localhost": Issuer.LOCAL,
        "shop.apps.dev": Issuer.ACME,
        "www.shop.dev": Issuer.ACME,
        "*": Issuer.LOCAL,
    }


def test_the_root_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    path = tmp_path / "certificates" / "root.pem"
    first = Authority.open(path, "test").issue(["a.dev", "*.b.dev"])
    root = x509.load_pem_x509_certificate(path.read_bytes())
    leaf = x509.load_pem_x509_certificate(first.chain.encode())
    leaf.verify_directly_issued_by(root)
    Authority.open(path, "test")
    assert x509.load_pem_x509_certificate(path.read_bytes()) == root
    assert path.with_name("root.key").stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in path.read_bytes()
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_a_damaged_root_is_said(tmp_path: Path) -> None:
    (tmp_path / "root.key").write_text("damaged")
    with pytest.raises(PlatformError, match=r"root\.key is damaged"):
        Authority.open(tmp_path / "root.pem", "test")
