"""Submodules: fetched from git's own server and from an app beside, or said how to have them."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import make_installation
from tests.acceptance.developer import Developer
from tests.acceptance.installation import Installation, run
from tests.git_over_http import GitHost, on_loopback

SERVER = """
const greeting = require('./vendor/lib');
require('http').createServer((q, r) => r.end(greeting)).listen(process.env.PORT);
"""
LOGIN = "ada:t0k3n-of-ada"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One that asks addresses of this host, where the git host of the tests is."""
    home = tmp_path_factory.mktemp("submodules")
    found = make_installation(home, PAAS_FETCH_FROM_PRIVATE_ADDRESSES="true")
    try:
        found.up()
        yield found
    finally:
        found.uninstall()
        left = found.leftovers()
    assert not left, "\n".join(left)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with on_loopback(tmp_path / "host") as found:
        yield found


def app(platform: Installation, folder: Path, name: str) -> Developer:
    folder.mkdir()
    developer = Developer(platform, name, folder)
    developer.git("init", "--quiet", "--initial-branch=main")
    developer.write(
        server__js=SERVER,
        package__json='{"name": "x", "scripts": {"start": "node server.js"}}',
    )
    platform.paas("create", name, folder=folder)
    return developer


def commit(developer: Developer) -> None:
    developer.git("add", "--all")
    developer.git("commit", "--quiet", "--message", "change")


def follow(developer: Developer, hint: str) -> None:
    """In a shell, with the system's own git, as a developer does."""
    words = ["sh", "-ec", f'git() {{ command git -c user.name=T -c user.email=t@h "$@"; }}\n{hint}']
    done = run(words, developer.installation.developer, folder=developer.folder)
    assert done.status == 0, done.text


def hint(said: str, words: str) -> str:
    found = re.search(rf"{words}: (.+)", said)
    assert found, said
    return found[1].strip()


def test_submodules_of_a_git_host_are_in_the_app(
    platform: Installation, host: GitHost, tmp_path: Path
) -> None:
    host.commit("deep", {"index.js": "module.exports = 'deep';"})
    host.commit("lib", {"index.js": "module.exports = 'one ' + require('./deep');"})
    lib = Developer(platform, "lib", host.folder / "lib.work")
    lib.git("submodule", "--quiet", "add", host.url("deep"), "deep")
    lib.git("config", "-f", ".gitmodules", "submodule.deep.url", "../deep.git")
    host.commit("lib", {})
    # Not a branch's tip by the time of the push: any commit is asked for.
    developer = app(platform, tmp_path / "app", "with-submodules")
    developer.git("submodule", "--quiet", "add", host.url("lib"), "vendor/lib")
    host.commit("lib", {"index.js": "module.exports = 'newer';"})
    commit(developer)
    host.login = LOGIN
    refused = developer.git("push", "paas", "main", check=False)
    assert refused.status != 0
    wanted = hint(refused.text, "its login is a config var").replace("paas ", "", 1)
    wanted = wanted.replace("<user>:<token>", LOGIN)
    developer.paas(*shlex.split(wanted))
    pushed = developer.git("push", "paas", "main").text
    assert f"vendor/lib: {host.url('lib')} at " in pushed
    assert f"vendor/lib/deep: {host.url('deep')} at " in pushed
    assert developer.get().text == "one deep"

    # What the last build had is asked of nobody; a clone has the developer's commits alone.
    host.is_down = True
    developer.write(other__txt="x")
    commit(developer)
    again = developer.git("push", "paas", "main").text
    assert "Fetching submodules" not in again and "Released" in again
    assert developer.get().text == "one deep"
    listed = developer.git("ls-remote", "paas").out
    head = developer.git("rev-parse", "HEAD").out.strip()
    assert {line.split()[0] for line in listed.splitlines()} == {head}
    assert LOGIN.partition(":")[2] not in pushed + again + platform.log()
    host.is_down = False

    # A newer one of it, which the host has not got yet: the hint pushes it.
    inner = Developer(platform, "lib", developer.folder / "vendor" / "lib")
    (inner.folder / "index.js").write_text("module.exports = 'two ' + require('./deep');")
    inner.git("commit", "--quiet", "--all", "--message", "two")
    commit(developer)
    refused = developer.git("push", "paas", "main", check=False)
    assert "does not give the commit" in refused.text, refused.text
    push_it = hint(refused.text, "Push the submodule first").replace(
        "<its branch>", "refs/heads/two"
    )
    subprocess.run(
        ["git", "-C", str(inner.folder), "push", "--quiet", str(host.folder / "lib.git"),
         "HEAD:refs/heads/two"], check=True, timeout=60,
    )  # fmt: skip
    assert push_it == "git -C vendor/lib push origin HEAD:refs/heads/two"
    developer.git("push", "paas", "main")
    assert developer.get().text == "two deep"

    # And it can be done without, as git itself does.
    host.is_down = True
    inner.git("commit", "--quiet", "--allow-empty", "--message", "three")
    commit(developer)
    refused = developer.git("push", "paas", "main", check=False)
    assert "answers 503" in refused.text
    follow(developer, hint(refused.text, "or do without its files"))
    developer.write(server__js=SERVER.replace("require('./vendor/lib')", "'without'"))
    commit(developer)
    without = developer.git("push", "paas", "main").text
    assert "Note: repositories within this one" in without
    assert developer.get().text == "without"


def test_a_submodule_is_another_app_of_the_account(platform: Installation, tmp_path: Path) -> None:
    library = app(platform, tmp_path / "library", "library")
    library.write(index__js="module.exports = 'of the app beside';")
    commit(library)
    library.git("push", "paas", "-o", "skip", "main")
    developer = app(platform, tmp_path / "app", "beside")
    local = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    developer.git(*local, str(library.folder), "vendor/lib")
    for url, said in (
        (f"{library.folder}/.git", "no address of HTTPS or SSH"),
        (f"file://{library.folder}", "no address of HTTPS or SSH"),
        ("../nobody.git", "you have no app nobody here"),
        ("http://127.0.0.1:1/x.git", "127.0.0.1 can't be reached"),
    ):
        developer.git("config", "-f", ".gitmodules", "submodule.vendor/lib.url", url)
        commit(developer)
        refused = developer.git("push", "paas", "main", check=False)
        assert refused.status != 0 and said in refused.text, refused.text
    wanted = hint(refused.text, "Give it an address that can be reached")
    follow(developer, wanted.replace("https://<its address>", "../library.git"))
    developer.git("push", "paas", "main")
    assert developer.get().text == "of the app beside"


def test_submodules_without_an_end_are_refused(
    platform: Installation, host: GitHost, tmp_path: Path
) -> None:
    tip = host.commit("s0", {"x": "x"})
    for number in range(1, 11):
        text = f'[submodule "s"]\n\tpath = s\n\turl = ../s{number - 1}.git\n'
        host.commit(f"s{number}", {".gitmodules": text})
        inner = Developer(platform, "s", host.folder / f"s{number}.work")
        inner.git("update-index", "--add", "--cacheinfo", f"160000,{tip},s")
        inner.git("commit", "--quiet", "--message", "link")
        inner.git("push", "--quiet", "--force", str(host.folder / f"s{number}.git"), "HEAD:main")
        tip = inner.git("rev-parse", "HEAD").out.strip()
    developer = app(platform, tmp_path / "app", "without-end")

    def link(count: int, url: str, id: str) -> str:
        entry = '[submodule "s%d"]\n\tpath = s%d\n\turl = %s\n'
        (developer.folder / ".gitmodules").write_text(
            "".join(entry % (n, n, url) for n in range(count))
        )
        developer.git("add", "--all")
        for number in range(count):
            developer.git("update-index", "--add", "--cacheinfo", f"160000,{id},s{number}")
        developer.git("commit", "--quiet", "--message", "links")
        return developer.git("push", "paas", "main", check=False).text

    assert "lie in each other more than 10 deep" in link(1, host.url("s10"), tip)
    s0 = link(101, host.url("s0"), Developer(platform, "s", host.folder / "s0.work").git(
        "rev-parse", "HEAD").out.strip())  # fmt: skip
    assert "more than 100 submodules" in s0
