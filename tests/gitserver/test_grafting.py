"""Submodules' files in a commit of ours: as git's own checkout with all its submodules has them."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

import gitserver
from gitserver import Graft, JobFailed, Limits, trees
from tests.paas.builder.repositories import IDENTITY, PLAIN


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, "-c", "protocol.file.allow=always", *words], cwd=folder,
        env=os.environ | PLAIN, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout.strip()


def repository(folder: Path, files: dict[str, str], **submodules: Path) -> str:
    """With these files and submodules at these paths (`__` for a slash); its commit's id."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for name, source in submodules.items():
        git(folder, "submodule", "--quiet", "add", str(source), name.replace("__", "/"))
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "x")
    git(folder, "clone", "-q", "--bare", ".", f"{folder}.git")
    return git(folder, "rev-parse", "HEAD")


def graft(app: Path, commit: str, *grafts: Graft, limits: Limits | None = None) -> str:
    async def nobody(*_: object) -> None:
        raise AssertionError

    async def story() -> str:
        server = gitserver.application(
            repositories=app.parent, authenticate=nobody, find=nobody,  # type: ignore[arg-type]
            accept=nobody, limits=limits or Limits(),  # type: ignore[arg-type]
        )  # fmt: skip
        await server.start()
        try:
            return await server.graft(app, commit, grafts)
        finally:
            await server.aclose()

    return asyncio.run(story())


def files(path: Path, commit: str) -> dict[str, str]:
    listed = git(path, "ls-tree", "-r", commit).splitlines()
    return {line.partition("\t")[2]: line.partition("\t")[0] for line in listed}


def checked_out(folder: Path) -> dict[str, str]:
    """All files of a checkout with its submodules, as git's own index has them."""
    found: dict[str, str] = {}
    for line in git(folder, "ls-files", "--stage", "--recurse-submodules").splitlines():
        mode, id, rest = line.split(" ", 2)
        found[rest.partition("\t")[2]] = f"{mode} blob {id}"
    return found


def test_the_files_are_those_of_a_checkout_with_its_submodules(tmp_path: Path) -> None:
    deep = repository(tmp_path / "deep", {"d.txt": "deep", "x/y/z": "z"})
    lib = repository(
        tmp_path / "lib", {"a.js": "a", "bin/run": "r"}, sub__deep=tmp_path / "deep.git"
    )
    commit = repository(
        tmp_path / "app",
        {"index.js": "i", "vendor/own.js": "o", "vendor-x": "sorted by git's own order"},
        vendor__lib=tmp_path / "lib.git",
        vendor__twice=tmp_path / "lib.git",
    )
    git(tmp_path / "app", "submodule", "--quiet", "update", "--init", "--recursive")
    app = tmp_path / "app.git"
    grafts = [
        Graft("vendor/lib", lib, tmp_path / "lib.git", lib),
        Graft("vendor/lib/sub/deep", deep, tmp_path / "deep.git", deep),
        Graft("vendor/twice", lib, tmp_path / "lib.git", lib),
        Graft("vendor/twice/sub/deep", deep, tmp_path / "deep.git", deep),
    ]
    made = graft(app, commit, *grafts)
    assert files(app, made) == checked_out(tmp_path / "app")
    assert git(app, "rev-parse", f"{made}^") == commit
    git(app, "fsck", "--strict", "--full", "--no-dangling")
    assert f"Submodule: {deep} vendor/lib/sub/deep" in trees.commit_message(app, made)

    # The same ones make the same commit, also of what is here already.
    known = [Graft(g.path, g.origin, app, made, g.path) for g in grafts if "sub" not in g.path]
    assert graft(app, commit, *grafts) == made
    again = graft(app, commit, *known)
    assert git(app, "rev-parse", f"{again}^{{tree}}") == git(app, "rev-parse", f"{made}^{{tree}}")


def test_a_tree_that_git_refuses_is_refused(tmp_path: Path) -> None:
    repository(tmp_path / "lib", {"a": "a"})
    blob = git(tmp_path / "lib", "hash-object", "-w", "a")
    for name in (".git", "..", ".GIT"):
        raw = b"100644 %s\0%s" % (name.encode(), bytes.fromhex(blob))
        tree = subprocess.run(
            ["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],
            cwd=tmp_path / "lib", input=raw, capture_output=True, check=True, timeout=60,
        ).stdout.decode().strip()  # fmt: skip
        bad = git(tmp_path / "lib", "commit-tree", tree, "-m", "x")
        app = tmp_path / f"app{len(name)}{name.strip('.')}"
        commit = repository(app, {"i": "i"}, lib=tmp_path / "lib.git")
        with pytest.raises(JobFailed, match=r"tree .* (has|is)"):
            bare = app.with_name(f"{app.name}.git")
            graft(bare, commit, Graft("lib", bad, tmp_path / "lib" / ".git", bad))


def test_what_is_not_there_and_what_is_too_much_is_refused(tmp_path: Path) -> None:
    lib = repository(tmp_path / "lib", {f"{number}": f"{number}" for number in range(30)})
    commit = repository(tmp_path / "app", {"i": "i"}, lib=tmp_path / "lib.git")
    app, source = tmp_path / "app.git", tmp_path / "lib.git"
    with pytest.raises(JobFailed, match="is missing"):
        graft(app, commit, Graft("lib", "1" * 40, source, "1" * 40))
    with pytest.raises(JobFailed, match="over 20 files"):
        graft(app, commit, Graft("lib", lib, source, lib), limits=Limits(objects=20))
    assert files(app, commit)["lib"] == f"160000 commit {lib}"
