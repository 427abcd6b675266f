"""What names a buildpack, and what the others are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks.classic import Kind, order, parse
from buildpacks.findings import Refused


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("heroku/nodejs", Kind.OURS, "heroku/nodejs"),
        ("https://github.com/heroku/heroku-buildpack-nodejs.git", Kind.OURS, "heroku/nodejs"),
        ("https://github.com/heroku/heroku-buildpack-nodejs#v300", Kind.OURS, "heroku/nodejs"),
        # What the heroku command makes of the short name.
        (
            "https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/nodejs.tgz",
            Kind.OURS,
            "heroku/nodejs",
        ),
        ("https://example.com/x.tgz", Kind.ARCHIVE, "https://example.com/x.tgz"),
        ("https://example.com/x.tar.gz", Kind.ARCHIVE, "https://example.com/x.tar.gz"),
        ("https://example.com/x.git#a/b-1", Kind.GIT, "https://example.com/x.git#a/b-1"),
        ("https://ada:secret@example.com:8/x", Kind.GIT, "https://example.com:8/x"),
        ("./build/fonts/", Kind.FOLDER, "./build/fonts"),
        (
            "https://github.com/heroku/heroku-buildpack-apt#main",
            Kind.DONE_HERE,
            "https://github.com/heroku/heroku-buildpack-apt#main",
        ),
    ],
)
def test_what_is_accepted(name: str, kind: Kind, shown: str) -> None:
    found = parse(name)
    assert (found.kind, found.shown) == (kind, shown)
    assert parse(found.name) == found


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("heroku/ruby", "Give its URL: https://github.com/heroku/heroku-buildpack-ruby"),
        ("heroku-community/apt", "https://github.com/heroku/heroku-buildpack-apt"),
        ("acme/thing", "Give its URL: its own repository"),
        ("http://example.com/x", "https"),
        ("git@github.com:owner/name.git", "https"),
        ("ssh://git@example.com/x", "https"),
        ("file:///etc", "names no buildpack"),
        ("./../x", "names no buildpack"),
        ("./a/../../b", "names no buildpack"),
        ("/etc", "names no buildpack"),
        ("https://example.com/x#--upload-pack=y", "no branch, tag or commit"),
        ("https://example.com/x#a..b", "no branch, tag or commit"),
        ("https://example.com/'x", "names no buildpack"),
        ("https://example.com/\nx", "names no buildpack"),
        ("https://example.com:99999/x", "names no buildpack"),
        ("", "names no buildpack"),
    ],
)
def test_what_is_refused_says_what_to_write(name: str, says: str) -> None:
    with pytest.raises(Refused) as raised:
        parse(name)
    assert says in f"{raised.value.failure.message} {raised.value.failure.hint}"


@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://ada:pa55@h/", "./"]))
def test_whatever_is_written_is_a_buildpack_or_refused_and_no_password_is_shown(
    text: str, begin: str
) -> None:
    try:
        found = parse(begin + text)
    except Refused as refused:
        assert "pa55" not in str(refused)
        return
    assert "pa55" not in found.shown
    assert parse(found.name) == found
    assert not any(letter in found.place for letter in " \n\"'\\")


def test_ours_stands_among_the_others_where_it_is_named() -> None:
    first, ours, last = (parse(name) for name in ("./a", "heroku/nodejs", "./b"))
    assert order([]).names == ("heroku/nodejs",) and order([]).others == ()
    found = order([first, ours, last])
    assert (found.before, found.after, found.has_ours) == ((first,), (last,), True)
    assert found.names == ("./a", "heroku/nodejs", "./b")
    apt = parse("https://github.com/heroku/heroku-buildpack-apt")
    assert order([apt, ours]).others == () and order([apt, ours]).before == (apt,)
    alone = order([first, last])
    assert (alone.before, alone.after, alone.has_ours) == ((), (first, last), False)
