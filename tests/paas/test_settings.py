"""Settings: file, then environment; clear words for what is wrong; nothing shared by two names."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import UserError
from paas.settings import Settings, load

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "test-a.toml").write_text(
        'router_port = 90\ncontrol_port = 91\nsubnet = "10.9.0.0/24"'
    )
    found = load({"PAAS_INSTALLATION": "test-a", "PAAS_ROUTER_PORT": "92"}, tmp_path)
    assert (found.router_port, found.control_port) == (92, 91)
    assert str(found.network) == "10.9.0.0/24"


def test_base_domains_are_a_list_in_either_form(tmp_path: Path) -> None:
    (tmp_path / "test-a.toml").write_text('base_domains = ["Example.COM"]')
    assert load({"PAAS_INSTALLATION": "test-a"}, tmp_path).base_domains == ("example.com",)
    environment = {"PAAS_INSTALLATION": "test-a", "PAAS_BASE_DOMAINS": "localhost, Example.org"}
    assert load(environment, tmp_path).base_domains == ("localhost", "example.org")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("router_port = 'x'", "router_port: 'x' is not int"),
        ("no_such = 1", "no_such: there is no such setting"),
        ("installation = 'b'", "installation: there is no such setting"),
        ("= 1", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "test-a.toml").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        load({"PAAS_INSTALLATION": "test-a"}, tmp_path)
    assert "test-a.toml" in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("False", False)])
def test_yes_and_no_are_written_as_words_or_digits(tmp_path: Path, text: str, value: bool) -> None:
    assert load({"PAAS_SHARE_NPM_CREDENTIALS": text}, tmp_path).share_npm_credentials is value


def test_a_word_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="PAAS_SHARE_NPM_CREDENTIALS: 'maybe' is not bool"):
        load({"PAAS_SHARE_NPM_CREDENTIALS": "maybe"}, tmp_path)


def test_what_is_wrong_in_the_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="PAAS_ROUTER_PORT: 'http' is not int"):
        load({"PAAS_ROUTER_PORT": "http"}, tmp_path)


@pytest.mark.parametrize("name", ["A", "a/b", "../x", "a" * 32, "9a", "-a", "a\n"])
def test_a_name_that_could_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="can't name an installation"):
        load({"PAAS_INSTALLATION": name}, tmp_path)


@given(NAMES, NAMES)
def test_two_installations_share_no_name(first: str, second: str) -> None:
    one, other = Settings(installation=first), Settings(installation=second)
    for name in ("state", "run", "bridge", "veth_prefix", "nftables_table"):
        assert (getattr(one, name) == getattr(other, name)) == (first == second)
    assert len(f"{one.veth_prefix}9999") <= 15
    assert one.network.is_private and one.network.prefixlen == 16


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Settings)][1:]), st.text("a1,.-")))
def test_any_values_are_taken_or_refused_in_words(values: dict[str, str]) -> None:
    environment = {f"PAAS_{name.upper()}": value for name, value in values.items()}
    try:
        load(environment, Path("/nonexistent"))
    except UserError as error:
        assert "PAAS_" in error.message
