import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.domains import covers, keep_own, normalise
from paas.errors import UserError


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.example.com", "*.example.com"),
        ("a_b.example.com", "a_b.example.com"),
    ],
)
def test_host_names_become_lower_case_ascii(hostname: str, expected: str) -> None:
    assert normalise(hostname) == expected


@pytest.mark.parametrize(
    "hostname",
    [
        "", "com", "*", "*.com", "a..b", "-a.com", "a-.com", "a b.com", "a.*.com", "**.a.com",
        "10.0.0.1", "a.com:80", "http://a.com", "a.com/x", f"{'a' * 64}.com", f"{'a.' * 127}com",
        "☃☃\u200b.", "a\n.com",
    ],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(hostname: str) -> None:
    with pytest.raises(UserError, match="can't be a domain"):
        normalise(hostname)


@pytest.mark.parametrize(
    ("hostname", "reason"),
    [
        ("http://www.example.com/", "without scheme, port and path"),
        ("www.example.com:8080", "without scheme, port and path"),
        ("10.0.0.1", "an address"),
        ("-x.example.com", "'-x' is no part"),
        ("a..example.com", "'' is no part"),
        ("com", "at least two parts"),
    ],
)
def test_a_refusal_names_what_is_wrong_with_this_host_name(hostname: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        normalise(hostname)
    assert reason in caught.value.message


def test_the_platforms_own_name_of_an_app_is_not_said_to_be_missing() -> None:
    with pytest.raises(UserError, match="the app's address from the platform"):
        keep_own("Hello.localhost", "hello", ("localhost",))
    keep_own("other.localhost", "hello", ("localhost",))


@pytest.mark.parametrize("hostname", ["x.localhost", "*.apps.example", "a.1-2-3-4.sslip.io"])
def test_names_under_a_base_domain_are_the_platforms(hostname: str) -> None:
    with pytest.raises(UserError, match="belong to the platform"):
        normalise(hostname, ("localhost", "apps.example"))


@given(st.text(max_size=60))
def test_what_is_accepted_stays_what_it_is(hostname: str) -> None:
    try:
        name = normalise(hostname)
    except UserError:
        return
    assert name.isascii() and name == name.lower() and normalise(name) == name


def test_a_wildcard_covers_one_label() -> None:
    assert covers("*.example.com", "a.example.com")
    assert not covers("*.example.com", "a.b.example.com")
    assert not covers("*.example.com", "example.com")
    assert covers("example.com", "example.com")
