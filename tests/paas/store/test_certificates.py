"""Certificates in the database: one row a host name, each state written down before the act."""

from datetime import timedelta
from typing import Any

from paas.apps.certificates import Issuer, State
from paas.store import certificates
from paas.store.sql.row import now

ISSUED = {"chain": "C", "key": "K", "expires_at": now(), "renew_at": now()}


def test_rows_follow_the_wanted_names(call: Any) -> None:
    call(certificates.keep, {"a.dev": Issuer.ACME, "b.dev": Issuer.LOCAL})
    call(certificates.keep, {"a.dev": Issuer.ACME, "c.dev": Issuer.LOCAL})
    found = call(certificates.all)
    assert [each.hostname for each in found] == ["a.dev", "c.dev"]
    assert {each.state for each in found} == {State.WAITING_FOR_DNS}
    assert all(each.next_try_at <= now() for each in found)


def test_another_issuer_starts_anew_and_keeps_what_serves(call: Any) -> None:
    call(certificates.keep, {"a.dev": Issuer.LOCAL})
    call(certificates.issued, "a.dev", **ISSUED)
    call(certificates.keep, {"a.dev": Issuer.ACME})
    known = call(certificates.named, ["a.dev"])["a.dev"]
    assert (known.issuer, known.state, known.chain) == (Issuer.ACME, State.WAITING_FOR_DNS, "C")


def test_failures_are_counted_until_it_is_issued(call: Any) -> None:
    later = now() + timedelta(hours=1)
    call(certificates.keep, {"a.dev": Issuer.ACME})
    for count in (1, 2):
        call(certificates.postponed, "a.dev", State.FAILED, "no", later)
        known = call(certificates.named, ["a.dev"])["a.dev"]
        assert (known.attempts, known.reason, known.next_try_at) == (count, "no", later)
    call(certificates.issued, "a.dev", **ISSUED)
    known = call(certificates.named, ["a.dev"])["a.dev"]
    assert (known.attempts, known.reason, known.state) == (0, "", State.ISSUED)


def test_what_was_being_issued_is_due_at_the_next_start(call: Any) -> None:
    call(certificates.keep, {"a.dev": Issuer.ACME, "b.dev": Issuer.ACME})
    for hostname in ("a.dev", "b.dev"):
        later = now() + timedelta(hours=1)
        call(certificates.postponed, hostname, State.FAILED, "no", later)
    call(certificates.issuing, "a.dev")
    call(certificates.resume)
    due = [each.hostname for each in call(certificates.all) if each.next_try_at <= now()]
    assert due == ["a.dev"]


def test_a_name_that_is_gone_meanwhile_is_no_error(call: Any) -> None:
    call(certificates.issued, "gone.dev", **ISSUED)
    assert call(certificates.all) == []
