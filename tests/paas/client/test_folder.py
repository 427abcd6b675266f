"""A folder is what git would commit of it, without `node_modules`; git itself is the judge."""

import os
import subprocess
from pathlib import Path

import pytest

from paas.client import folder, objects
from paas.errors import UserError


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "core.excludesFile=/dev/null", "-c", "core.autocrlf=false", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def gits_tree(root: Path) -> str:
    if not (root / ".git").exists():
        git(root, "init", "--quiet")
    git(root, "add", "--all")
    return git(root, "write-tree")


def our_tree(root: Path) -> str:
    return objects.trees(folder.read(root).entries)[0].id


def write(root: Path, path: str, text: str = "x") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def test_the_tree_is_the_one_that_git_makes(tmp_path: Path) -> None:
    write(tmp_path, "package.json", "{}")
    write(tmp_path, "a/b.js")
    write(tmp_path, "a.js")
    write(tmp_path, "a-b")
    write(tmp_path, "a0/empty", "")
    write(tmp_path, "log/x.log")
    write(tmp_path, "log/keep.log")
    write(tmp_path, "deep/er/dist/y")
    write(tmp_path, "deep/er/.gitignore", "/dist\n")
    write(tmp_path, "ümlaut name")
    write(tmp_path, "run").chmod(0o755)
    (tmp_path / "link").symlink_to("../outside")
    (tmp_path / os.fsdecode(b"bytes\xff")).write_text("no UTF-8")
    write(tmp_path, ".gitignore", "*.log\n!keep.log\n")
    (tmp_path / "empty").mkdir()
    assert our_tree(tmp_path) == gits_tree(tmp_path)


def test_what_is_left_out_is_named_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, "index.html")
    write(tmp_path, "node_modules/x/index.js")
    write(tmp_path, "packages/a/node_modules/y")
    write(tmp_path, "dist/out.js")
    write(tmp_path, ".env")
    write(tmp_path, ".gitignore", "dist/\n.env\n")
    os.mkfifo(tmp_path / "pipe")
    found = folder.read(tmp_path)
    assert dict(found.left_out) == {
        b"node_modules/": "always",
        b"packages/a/node_modules/": "always",
        b"dist/": ".gitignore",
        b".env": ".gitignore",
        b"pipe": "not a file",
    }
    assert [entry.path for entry in found.entries] == [b".gitignore", b"index.html"]


def test_the_rules_above_a_folder_count_up_to_the_root_of_its_repository(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", "outside-the-repository\n")
    root = tmp_path / "repository"
    for name in ("kept", "outside-the-repository", "top", "mine", "secret", "sub/inner"):
        write(root, f"apps/web/{name}")
    write(root, ".gitignore", "/apps/web/top\ninner\n")
    write(root, "apps/.gitignore", "mine\n")
    git(root, "init", "--quiet")
    write(root, ".git/info/exclude", "secret\n")
    found = folder.read(root / "apps" / "web")
    assert [entry.path for entry in found.entries] == [b"kept", b"outside-the-repository"]
    gits_tree(root)
    assert our_tree(root / "apps" / "web") == git(root, "rev-parse", f"{gits_tree(root)}:apps/web")


def test_the_files_of_a_repository_inside_are_files(tmp_path: Path) -> None:
    write(tmp_path, "module/index.js")
    git(tmp_path / "module", "init", "--quiet")
    assert [entry.path for entry in folder.read(tmp_path).entries] == [b"module/index.js"]


def test_a_file_that_changes_while_it_is_sent_is_named(tmp_path: Path) -> None:
    place = write(tmp_path, "index.html", "one")
    found = folder.read(tmp_path)
    assert b"".join(found.read(found.entries[0])) == b"one"
    place.write_text("two")
    with pytest.raises(UserError, match=r"index\.html has changed"):
        list(found.read(found.entries[0]))


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret")
    place = write(tmp_path / "app", "index.html")
    found = folder.read(tmp_path / "app")
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(UserError, match=r"index\.html can't be read"):
        list(found.read(found.entries[0]))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        folder.read(tmp_path / "none")
