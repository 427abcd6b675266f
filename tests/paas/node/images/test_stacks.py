"""Stacks: which apt sources they come from, what their recipe is, and that they make a userland."""

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import UserError
from paas.node.images import apt_sources, base, stacks
from paas.node.images.store import Images
from paas.node.pools.dir import DirPool
from paas.settings import Settings

BOOKWORM = """Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://vendor.example/node
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def test_the_distributions_own_stanzas_are_taken() -> None:
    assert apt_sources.of_deb822(BOOKWORM, "bookworm") == [
        "Types: deb\nUris: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main contrib\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    ]


def test_a_key_that_is_written_out_stays_whole() -> None:
    text = "Types: deb\nURIs: http://a\nSuites: noble\nSigned-By:\n -----BEGIN\n .\n abc\n"
    (stanza,) = apt_sources.of_deb822(text, "noble")
    assert stanza.endswith("Signed-By: \n -----BEGIN\n .\n abc")


def test_lines_of_the_old_form_are_taken() -> None:
    text = """# deb http://commented.example bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm-security main contrib # why
deb-src http://a.example/debian bookworm main
deb http://vendor.example cloud-sdk-bookworm main
"""
    assert apt_sources.of_lines(text, "bookworm") == [
        "Types: deb\nUris: http://a.example/debian\nSuites: bookworm-security\n"
        "Components: main contrib\nSigned-By: /k.gpg"
    ]


def test_both_forms_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example noble main\n")
    (tmp_path / "sources.list.d/b.sources").write_text(BOOKWORM.replace("bookworm", "noble"))
    (tmp_path / "sources.list.d/c.list.save").write_text("deb http://c.example noble main\n")
    text = apt_sources.distribution_sources("noble", tmp_path)
    assert ("a.example" in text, "mirror.example" in text, "c.example" in text) == (
        True,
        True,
        False,
    )
    assert apt_sources.distribution_sources("trixie", tmp_path) == ""


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    apt_sources.of_deb822(text, "noble")
    apt_sources.of_lines(text, "noble")


def test_the_file_is_named_after_release_variant_and_recipe(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('NAME="Ubuntu"\nVERSION_CODENAME=noble\n')
    run, build = (stacks.stack(tmp_path, variant, release) for variant in ("run", "build"))
    assert run.file.name.startswith("stack-noble-run-")
    assert run.file.name.removeprefix("stack-noble-run-") != build.file.name.removeprefix(
        "stack-noble-build-"
    )


def test_a_system_without_codename_is_refused(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=arch\n")
    with pytest.raises(UserError, match="VERSION_CODENAME"):
        stacks.stack(tmp_path, "run", tmp_path / "os-release")


def test_a_stack_that_nobody_made_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        stacks.install(Images(DirPool(tmp_path / "zones")), tmp_path, "run")
    assert refused.value.hint == "Run script/bootstrap as root."


def write_stack(cache: Path, variant: str) -> None:
    """A small tar file in a stack's place, as `ensure` leaves it."""
    found = stacks.stack(cache, variant)
    tree = cache / variant
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "usr/libexec", "etc/ssl/certs"):
        (tree / folder).mkdir(parents=True)
    (tree / "etc/passwd").write_text("stranger:x:0:0::/:/bin/sh\n")
    (tree / "etc/ld.so.conf").write_text("include\n")
    with tarfile.open(found.file, "w") as tar:
        for name in ("usr", "etc"):
            tar.add(tree / name, name)
    content = found.file.read_bytes()
    facts = {"sha1": hashlib.sha1(content).hexdigest(), "size": len(content)}
    found.facts_file.write_text(json.dumps(facts))


def test_a_stack_is_imported_once(tmp_path: Path) -> None:
    write_stack(tmp_path, "run")
    images = Images(DirPool(tmp_path / "zones"))
    made = stacks.install(images, tmp_path, "run")
    assert stacks.install(images, tmp_path, "run") == made
    assert images.list() == [made]
    assert (images.pool.path(made["uuid"]) / "root/usr/bin").is_dir()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: /app belongs to app")
def test_the_base_image_is_a_root_around_a_stack(tmp_path: Path) -> None:
    write_stack(tmp_path, "build")
    images = Images(DirPool(tmp_path / "zones"))
    stack = stacks.install(images, tmp_path, "build")
    made = base.install(images, stack, stacks.NAMESPACE)
    root = images.pool.path(made["uuid"]) / "root"
    links = {entry.name: str(entry.readlink()) for entry in root.iterdir() if entry.is_symlink()}
    assert links == {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}
    assert (root / "app").stat().st_uid == (root / "app").stat().st_gid == 1000
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert "stranger" not in (root / "etc/passwd").read_text()
    assert (root / "etc/ld.so.conf").read_text() == "include\n"
    for mount_point in ("usr", "opt/node", "opt/smartplatform", "proc", "sys", "dev", "run"):
        assert list((root / mount_point).iterdir()) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mmdebstrap and chroot")
def test_the_hosts_stacks_compile_and_run(tmp_path: Path) -> None:
    """The real ones, which script/bootstrap has made."""
    cache = Settings().cache
    if not stacks.stack(cache, "build").facts_file.exists():
        pytest.skip("needs the stacks of script/bootstrap")
    images = Images(DirPool(tmp_path / "zones"))
    stack = stacks.install(images, cache, "build")
    root = images.pool.path(stack["uuid"]) / "root"
    assert {entry.name for entry in root.iterdir()} == {"etc", "usr"}
    assert not (root / "etc/apt").exists()
    # A link into the time zones names the zone: a copy, or none, is looked for among all of them.
    zone = (root / "etc/localtime").readlink()
    assert zone.is_relative_to("/usr/share/zoneinfo")
    assert (root / zone.relative_to("/")).exists()
    for name in ("bin", "lib", "lib64"):
        if (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for folder in ("tmp", "dev"):
        (root / folder).mkdir()
    (root / "dev/null").touch()
    script = "echo 'int main(){return 42;}' | c++ -x c++ - -o /tmp/a && /tmp/a; echo $?"
    script += "; git --version"
    command = ["chroot", str(root), "/bin/bash", "-c", script]
    shown = subprocess.check_output(command, text=True, timeout=60)
    assert shown.startswith("42\ngit version")
