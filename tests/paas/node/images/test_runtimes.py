"""Runtimes: the first one from the wheel, others from the registry's archives."""

import base64
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from paas.node import words
from paas.node.errors import ImageError
from paas.node.images import runtimes
from paas.node.images.store import Images
from paas.node.pools.dir import DirPool


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(DirPool(tmp_path / "zones"))


def archive(*entries: tuple[str, bytes, str]) -> bytes:
    """(name, content, link) of each entry."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content, link in entries:
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(content), 0o755
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


NODE = archive(("bin/node", b"#!/bin/sh\necho v20.0.0\n", ""), ("share/doc/x", b"", ""))


def test_the_first_runtime_runs_node_and_npm(images: Images) -> None:
    made = runtimes.install_first(images)
    version = made["tags"][words.VERSION]
    place = images.pool.path(made["uuid"]) / "root/opt/node"
    for command, expected in ((["bin/node", "--version"], f"v{version}"), (["bin/npx", "-v"], "")):
        environment = {"PATH": f"{place}/bin:/usr/bin", "HOME": str(place)}
        shown = subprocess.check_output(
            [str(place / command[0]), *command[1:]], text=True, timeout=60, env=environment
        )
        assert shown.startswith(expected) and shown.strip()
    assert (place / "include/node/node.h").exists()
    assert images.list() == [made]


def test_an_archive_of_the_registry_becomes_a_runtime_with_npm(images: Images) -> None:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(NODE).digest()).decode()
    given = runtimes.manifest_of("20.0.0")
    made = runtimes.import_archive(images, given, io.BytesIO(NODE), integrity)
    place = images.pool.path(made["uuid"]) / "root/opt/node"
    assert subprocess.check_output([str(place / "bin/node")], timeout=60) == b"v20.0.0\n"
    assert (place / "bin/npm").resolve() == place / "lib/node_modules/npm/bin/npm-cli.js"
    assert not (place / "share").exists()


def test_an_archive_with_another_checksum_is_refused(images: Images) -> None:
    with pytest.raises(ImageError, match="not sha512-abc"):
        runtimes.import_archive(
            images, runtimes.manifest_of("20.0.0"), io.BytesIO(NODE), "sha512-abc"
        )
    assert images.list() == []


@pytest.mark.parametrize(
    "entries",
    [
        [("README", b"no node here", "")],
        [("bin/node", b"", "other")],
        [("bin/node", b"x", ""), ("lib", b"", "bin")],
        [("bin/node", b"x", ""), ("lib/node_modules/npm", b"", "../../bin")],
    ],
)
def test_an_archive_that_is_no_runtime_is_refused(
    images: Images, entries: list[tuple[str, bytes, str]]
) -> None:
    with pytest.raises(ImageError):
        runtimes.import_archive(
            images, runtimes.manifest_of("20.0.0"), io.BytesIO(archive(*entries))
        )
    assert (images.list(), images.pool.list()) == ([], [])
