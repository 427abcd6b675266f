"""The zone's tree becomes the commit's: the commands that do it, run here on a plain folder."""

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from paas.builder import checkout
from paas.builder.source import CommitTree
from tests.paas.builder.repositories import Repository


def apply(prepared: checkout.Checkout, tree: Path, npmrc: Path) -> None:
    stream = io.BytesIO()
    prepared.write_to(stream)
    command = [str(npmrc) if word == checkout.NPMRC else word for word in prepared.command()]
    subprocess.run(command, cwd=tree, input=stream.getvalue(), check=True, timeout=30)


def files(tree: Path) -> dict[str, str]:
    return {
        str(path.relative_to(tree)): path.read_text() if path.is_file() else "folder"
        for path in tree.rglob("*")
    }


def prepare(
    repository: Repository,
    commit: str,
    since: str | None,
    own_modules: bool = False,
    whole: bool = False,
    large: Mapping[bytes, Path] = MappingProxyType({}),
) -> checkout.Checkout:
    return checkout.prepare(
        repository.path,
        commit,
        since,
        whole=whole,
        npmrc=b"token=1\n",
        modules=None if own_modules else b"node_modules/",
        large=large,
    )


def test_changed_files_and_deletions_turn_one_commit_into_the_next(tmp_path: Path) -> None:
    repository, tree = Repository(tmp_path), tmp_path / "tree"
    tree.mkdir()
    repository.write("index.js", "one")
    repository.write("-rf/we ird\nname", "deleted")
    repository.write("deep/er/gone", "deleted")
    repository.write("kind", "a file")
    first = repository.commit()
    apply(prepare(repository, first, None), tree, tmp_path / "npmrc")
    assert files(tree)["deep/er/gone"] == "deleted"

    (tree / "node_modules/a").mkdir(parents=True)
    (tree / "node_modules/a/index.js").write_text("installed")
    repository.write("index.js", "two")
    repository.remove("-rf/we ird\nname")
    repository.remove("deep/er/gone")
    repository.remove("kind")
    repository.write("kind/of", "a folder")
    second = repository.commit()
    apply(prepare(repository, second, first), tree, tmp_path / "npmrc")
    assert files(tree) == {
        "index.js": "two",
        "kind": "folder",
        "kind/of": "a folder",
        "node_modules": "folder",
        "node_modules/a": "folder",
        "node_modules/a/index.js": "installed",
    }


def test_contents_take_the_place_of_pointers(tmp_path: Path) -> None:
    repository, tree, content = Repository(tmp_path), tmp_path / "tree", tmp_path / "content"
    tree.mkdir()
    content.write_text("large")
    repository.write("model.bin", "pointer")
    repository.write("index.js", "one")
    large = {b"model.bin": content}
    prepared = prepare(repository, repository.commit(), None, large=large)
    apply(prepared, tree, tmp_path / "npmrc")
    assert files(tree) == {"index.js": "one", "model.bin": "large"}


def test_changed_attributes_bring_every_file_again(tmp_path: Path) -> None:
    """A pointer that stays as it is may be one from now on, or be none any more."""
    repository = Repository(tmp_path)
    repository.write("model.bin", "pointer")
    first = repository.commit()
    repository.write(".gitattributes", "*.bin filter=lfs")
    second = repository.commit()
    paths = {entry.path for entry in prepare(repository, second, first).files}
    assert paths == {b".gitattributes", b"model.bin"}
    repository.remove(".gitattributes")
    paths = {entry.path for entry in prepare(repository, repository.commit(), second).files}
    assert paths == {b"model.bin"}


def test_npms_configuration_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    repository, tree = Repository(tmp_path), tmp_path / "tree"
    tree.mkdir()
    apply(prepare(repository, repository.commit(), None), tree, tmp_path / "npmrc")
    assert (tmp_path / "npmrc").read_text() == "token=1\n"
    assert (tmp_path / "npmrc").stat().st_mode & 0o777 == 0o600
    assert files(tree) == {}


def test_committed_node_modules_count_only_for_apps_without_dependencies(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("node_modules/a/index.js", "vendored")
    repository.write("lib/node_modules/b.js", "own")
    commit = repository.commit()
    paths = {
        own: {entry.path for entry in prepare(repository, commit, None, own).files}
        for own in (True, False)
    }
    assert paths[True] - paths[False] == {b"node_modules/a/index.js"}


def test_cleaning_leaves_only_dependencies_and_caches(tmp_path: Path) -> None:
    for path in (
        "dist/a.js",
        "sp ace\n/x",
        "node_modules/a/index.js",
        "packages/b/node_modules/c/x",
        "packages/b/built.js",
        ".next/cache/1",
        ".next/server/2",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / "link").symlink_to("/etc/passwd")
    subprocess.run(checkout.cleaning([".next/cache"]), cwd=tmp_path, check=True, timeout=30)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"node_modules/a/index.js", "packages/b/node_modules/c/x", ".next/cache/1"}
    assert not (tmp_path / "dist").exists()


def test_a_file_that_git_lfs_keeps_is_read_as_itself(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("package.json", "pointer")
    (tmp_path / "content").write_text("{}")
    large = {b"package.json": tmp_path / "content"}
    tree = CommitTree(repository.path, repository.commit(), large)
    assert tree.read("package.json", 10) == b"{}"
    assert tree.read("package.json", 1) == b"{"


def test_a_commit_is_read_as_a_tree(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("package.json", "{}")
    repository.write("web/src/a.js", "a")
    (repository.work / "link.json").symlink_to("package.json")
    tree = CommitTree(repository.path, repository.commit())
    assert tree.names() == ["link.json", "package.json", "web/"]
    assert tree.names("web") == ["src/"]
    assert tree.names("nowhere") == []
    assert tree.read("package.json", 1) == b"{"
    assert tree.read("web", 10) is None
    assert tree.read("link.json", 10) is None
