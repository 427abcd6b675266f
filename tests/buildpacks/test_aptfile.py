"""What an Aptfile names, and the lines that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks import aptfile
from buildpacks.aptfile import Aptfile
from buildpacks.findings import Refused
from tests.buildpacks.nodejs.trees import Files


def read(content: str | bytes) -> Aptfile | None:
    return aptfile.read(Files(Aptfile=content))


def test_packages_and_addresses_stand_in_lines_with_comments() -> None:
    text = """# of the app
libvips42 ffmpeg   # two in a line
jq=1.6-2.1+deb12u1
g++
libc6:amd64
ffmpeg
https://example.com/pool/x_1.0_amd64.deb
"""
    assert read(text) == Aptfile(
        ("libvips42", "ffmpeg", "jq=1.6-2.1+deb12u1", "g++", "libc6:amd64"),
        ("https://example.com/pool/x_1.0_amd64.deb",),
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "\ufeff\n"])
def test_a_file_that_names_nothing_is_none(text: str) -> None:
    assert read(text) is None
    assert aptfile.read(Files()) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-o APT::Update::Pre-Invoke::=id", "'-o' is no name of a package"),
        ("--allow-unauthenticated", "is no name of a package"),
        ("jq-", "'jq-' is no name of a package"),
        ("jq;id", "is no name of a package"),
        ("$(id)", "is no name of a package"),
        ("../x.deb", "is no address of a .deb"),
        ("/etc/passwd", "is no name of a package"),
        ("?installed", "is no name of a package"),
        ("lib*", "is no name of a package"),
        ("jq/bookworm-backports", "is no name of a package"),
        ("http://example.com/x.deb", "is no address of a .deb"),
        ("https://user:secret@example.com/x.deb", "is no address of a .deb"),
        ("file:///etc/x.deb", "is no address of a .deb"),
        ("https://example.com/x.tar.gz", "is no address of a .deb"),
        (":repo:deb [trusted=yes] http://example.com/ x main", ":repo: is refused"),
    ],
)
def test_a_line_that_is_no_package_is_refused_by_its_number(line: str, said: str) -> None:
    with pytest.raises(Refused) as raised:
        read(f"jq\n{line}\n")
    assert raised.value.failure.message.startswith("Aptfile, line 2: ")
    assert said in raised.value.failure.message


def test_too_many_are_refused() -> None:
    with pytest.raises(Refused, match="more than 200"):
        read("\n".join(f"lib{number}" for number in range(201)))


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_no_word_is_an_option_or_holds_a_blank(content: str | bytes) -> None:
    try:
        found = read(content)
    except Refused:
        return
    for word in (*found.packages, *found.urls) if found else ():
        assert word[0] not in "-?~"
        assert word.isprintable()
        assert " " not in word
