"""What an instance is asked to know how it is."""

from router.choice import check


def test_the_first_name_of_one_host_is_asked() -> None:
    assert b"\r\nHost: a.example\r\n" in check.request(("*.b.example", "a.example"), "/up")
    assert check.request(("*.b.example", "app"), "") == b""
