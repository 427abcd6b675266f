from paas.apps import passes as gitpass

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_pass_is_valid_for_its_hour_and_with_its_key_only() -> None:
    made = gitpass.make(KEY, 1000.0)
    assert gitpass.is_valid(KEY, made, 1000.0)
    assert gitpass.is_valid(KEY, made, 1000.0 + gitpass.LIFETIME_S - 1)
    assert not gitpass.is_valid(KEY, made, 1000.0 + gitpass.LIFETIME_S)
    assert not gitpass.is_valid(OTHER, made, 1000.0)


def test_nobody_gives_a_pass_more_time() -> None:
    _, expires, signature = gitpass.make(KEY, 1000.0).split("_")
    for text in (f"paasgit_{int(expires) + 1}_{signature}", f"paasgit_{expires}_{'0' * 64}", ""):
        assert not gitpass.is_valid(KEY, text, 1000.0)


def test_a_token_has_not_the_form_of_a_pass() -> None:
    assert gitpass.has_form(gitpass.make(KEY, 0))
    assert not gitpass.has_form("paas_" + "x" * 43)
