"""What a submodule's URL means: relative ones as git itself resolves them, others never lead to a
file of this host or into its own networks by another name.
"""

import base64
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paas.apps import submodules
from paas.apps.git_connections import GitConnection, Kind
from paas.apps.submodules import BadAddress, Own, Place

OWN = Own(8081, 2222, ("apps.example.com",))
BASE = "http://localhost:8081/hello.git"
PLAIN = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def resolved_by_git(folder: Path, base: str, url: str) -> str:
    """What `git submodule init` enters into a clone's configuration."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=PLAIN, check=True, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("remote", "add", "origin", base)
    (folder / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = {url}\n')
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},x")
    git("submodule", "-q", "init")
    return git("config", "submodule.x.url")


@pytest.mark.parametrize("base", [BASE, "https://github.com/owner/hello", "https://h/a/b/c.git/"])
@pytest.mark.parametrize("url", ["../lib.git", "./lib", "../../x/lib.git", "../lib/", ".././lib"])
def test_relative_urls_are_resolved_as_git_does(tmp_path: Path, base: str, url: str) -> None:
    if base == BASE and url.startswith("../../"):
        # git makes a host of what follows; that would be another server.
        with pytest.raises(BadAddress, match="leads out"):
            submodules.relative(base, url)
        return
    assert submodules.relative(base, url) == resolved_by_git(tmp_path, base, url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/o/lib.git", Place("https://github.com/o/lib.git")),
        ("http://h.example/lib", Place("http://h.example/lib")),
        ("git@github.com:o/lib.git", Place("https://github.com/o/lib.git", by_ssh=True)),
        ("github.com:o/lib", Place("https://github.com/o/lib", by_ssh=True)),
        ("ssh://git@gitlab.com:22/o/lib", Place("https://gitlab.com/o/lib", by_ssh=True)),
        ("../lib.git", Place("http://localhost:8081/lib.git", app="lib")),
        ("http://127.0.0.1:8081/lib.git", Place("http://localhost:8081/lib.git", app="lib")),
        ("ssh://git@apps.example.com:2222/lib.git", Place(f"{OWN.root}/lib.git", app="lib")),
        ("http://localhost:9000/lib.git", Place("http://localhost:9000/lib.git")),
    ],
)
def test_each_kind_of_address(url: str, expected: Place) -> None:
    assert submodules.place(url, BASE, OWN) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "file:///etc", "/srv/git/x.git", "x", "ext::sh -c id", "git://github.com/o/lib",
        "http://localhost:8081/../x.git", "http://localhost:8081/a/b.git", "-u./payload",
        "https://h/\nx", "https://h:port/x", "https:///x", "../../../etc/passwd", "ftp://h/x",
        "fd::17", "http://localhost:8081/.git", "http://[::1/x",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        submodules.place(url, BASE, OWN)


def of(url: str, token: str) -> GitConnection:
    now = datetime.now(UTC)
    return GitConnection("id", "hook", url, Kind.GITHUB, "main", "ada", now, "secret", token)


def test_a_login_goes_to_its_own_host_alone() -> None:
    config = {submodules.CREDENTIALS: "https://ada:p%40ss@git.example\nhttps://x:y@h:8443 junk"}
    connection = of("https://github.com/o/hello", "t0k")

    def sent(url: str) -> str:
        found = submodules.credentials(url, config, connection).get("Authorization", "")
        return base64.b64decode(found.removeprefix("Basic ")).decode()

    assert sent("https://git.example/lib.git") == "ada:p@ss"
    assert sent("https://github.com/o/lib") == "x-access-token:t0k"
    assert sent("https://h:8443/lib") == "x:y"
    for other in ("https://h/lib", "http://git.example/lib", "https://git.example.evil/lib"):
        assert sent(other) == ""
    assert submodules.credentials("https://github.com/o/lib", {}, None) == {}
