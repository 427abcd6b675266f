"""The command itself against two nodes: images made, published, imported, refused, deleted."""

import asyncio
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paas.node.commands.ask import Node
from paas.node.errors import NodeError
from paas.settings import Settings
from tests.names import own_name
from tests.paas.node.conftest import RunningNode, gone, stopped

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": None}
STAY = 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'
PATIENCE_S = 120


def imgadm(node: RunningNode, *words: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PAAS_INSTALLATION": node.settings.installation,
        **more.pop("environment", {}),
    }
    more.setdefault("input", "")
    return subprocess.run(
        [sys.executable, "-m", "paas.node.commands.imgadm", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_S,
        **more,
    )


def said(node: RunningNode, *words: str, **more: Any) -> str:
    done = imgadm(node, *words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(node: RunningNode, *words: str, **more: Any) -> str:
    done = imgadm(node, *words, **more)
    assert done.returncode == (3 if "(ImageNotInstalled)" in done.stderr else 1), done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def other(running_node: RunningNode) -> Iterator[RunningNode]:
    """Another installation on this host, which serves IMGAPI on a port of its own."""
    settings = Settings(installation=own_name("test-images"))
    settings.logs.mkdir(parents=True)
    node = RunningNode(settings, prefix=("env", "PAAS_IMGAPI_LISTEN=127.0.0.1:0"))
    try:
        node.start()
        yield node
    finally:
        stopped(node)
        gone(settings)


@pytest.fixture(scope="module")
def server(other: RunningNode) -> tuple[str, dict[str, str]]:
    """Its address, and what a writer has in its environment."""
    port = other.settings.run / "imgapi.port"
    waited = threading.Event()
    for _ in range(600):
        if port.exists():
            break
        waited.wait(0.1)
    token = (other.settings.state / "imgapi" / "token").read_text().strip()
    return f"http://127.0.0.1:{port.read_text()}", {"IMGADM_TOKEN": token}


@pytest.fixture(scope="module")
def machine(running_node: RunningNode) -> Iterator[str]:
    """Stopped, with a file of its own."""
    client = running_node.client

    async def make() -> str:
        payload = await running_node.payload(["sh", "-c", STAY], metadata=QUIET)
        await client.create(payload)
        write = ["sh", "-c", "echo mine > /app/file && ln -s /app/file /app/link"]
        assert (await running_node.output(payload["uuid"], *write))[0] == 0
        remove = ["rm", "-r", "/srv"]
        assert (await running_node.output(payload["uuid"], *remove, user="root"))[0] == 0
        await client.stop(payload["uuid"], force=True)
        return str(payload["uuid"])

    made = asyncio.run(make())
    yield made
    asyncio.run(client.delete(made))


def of(folder: Path) -> dict[str, Any]:
    (manifest,) = folder.glob("*.imgmanifest")
    return dict(json.loads(manifest.read_text()))


def test_one_node_imports_what_another_published(
    running_node: RunningNode,
    other: RunningNode,
    server: tuple[str, dict[str, str]],
    machine: str,
    tmp_path: Path,
) -> None:
    url, token = server
    fields = ["name=mine", "version=1.0.0", 'tags={"kept": "yes"}']
    made = said(running_node, "create", "-c", "gzip", "-o", str(tmp_path), machine, *fields)
    assert made.startswith("Inheriting from origin image ")
    assert f'Sending image file to "{tmp_path}/mine-1.0.0.tar.gz"' in made
    assert made.endswith(f'Saving manifest to "{tmp_path}/mine-1.0.0.imgmanifest"\n')
    manifest, file = of(tmp_path), tmp_path / "mine-1.0.0.tar.gz"
    image = manifest["uuid"]
    assert manifest["files"][0]["sha1"] == hashlib.sha1(file.read_bytes()).hexdigest()
    files = ["-m", str(tmp_path / "mine-1.0.0.imgmanifest"), "-f", str(file)]

    assert "(UnauthorizedError)" in refused(running_node, "publish", *files, url)
    assert json.loads(said(running_node, "sources", "-j")) == []
    assert "(NoSources)" in refused(running_node, "import", image)
    assert said(running_node, "publish", *files, url, environment=token).endswith(f"to {url}\n")
    again = refused(running_node, "publish", *files, url, environment=token)
    assert "(ImageUuidAlreadyExists)" in again

    assert said(running_node, "sources", "-a", url) == f'Added "imgapi" image source "{url}"\n'
    assert "no change" in said(running_node, "sources", "-a", url)
    assert said(running_node, "sources") == f"{url}\n"
    assert said(running_node, "avail", "-H", "-o", "uuid,name,tags.kept", "name=~in") == (
        f"{image}  mine  yes\n"
    )
    assert said(running_node, "avail", "name=other") == ""
    assert json.loads(said(running_node, "show", image))["state"] == "active"
    shown = said(running_node, "import", "-q", "-P", "zones", image)
    assert shown.splitlines()[-1] == f"Imported image {image} (mine@1.0.0)"
    skipped = f"Image {image} (mine@1.0.0) is already installed, skipping\n"
    assert said(running_node, "import", image) == skipped
    assert said(running_node, "install", *files) == skipped
    (record,) = json.loads(said(running_node, "list", "-j", f"uuid={image}"))
    assert (record["source"], record["zpool"], record["clones"]) == (url, "zones", 0)
    root = running_node.settings.pool_mount / image / "root"
    assert (root / "app/file").read_text() == "mine\n"
    assert os.readlink(root / "app/link") == "/app/file" and not (root / "srv").exists()  # noqa: PTH115

    assert said(other, "import", "-S", url, image).endswith(
        f"Imported image {image} (mine@1.0.0)\n"
    )
    assert said(other, "delete", image) == f"Deleted image {image}\n"
    assert said(running_node, "sources", "-d", url) == f'Deleted "imgapi" image source "{url}"\n'
    assert said(running_node, "delete", image) == f"Deleted image {image}\n"
    assert imgadm(running_node, "delete", image).returncode == 3


def test_an_incremental_image_comes_after_its_origin(
    running_node: RunningNode,
    server: tuple[str, dict[str, str]],
    machine: str,
    tmp_path: Path,
) -> None:
    url, token = server
    said(running_node, "create", "-p", url, machine, "name=whole", "version=1", environment=token)
    assert json.loads(said(running_node, "avail", "-j", "name=whole")) == []
    said(running_node, "sources", "-f", "-a", url)
    (found,) = json.loads(said(running_node, "avail", "-j", "name=whole"))
    whole = found["manifest"]["uuid"]
    said(running_node, "import", whole)

    async def make() -> str:
        payload = await running_node.payload(["sh", "-c", STAY], metadata=QUIET, image_uuid=whole)
        await running_node.client.create(payload)
        write = ["sh", "-c", "rm /app/link && mkdir /app/more && echo 2 > /app/more/2"]
        assert (await running_node.output(payload["uuid"], *write))[0] == 0
        return str(payload["uuid"])

    child = asyncio.run(make())
    create = ["create", "-i", "-c", "xz", "-o", str(tmp_path), child, "name=part", "version=2"]
    assert "(VmNotStopped)" in refused(running_node, *create)
    asyncio.run(running_node.client.stop(child, force=True))
    said(running_node, *create)
    manifest = of(tmp_path)
    assert manifest["origin"] == whole and manifest["files"][0]["size"] < 4000
    files = ["-m", str(tmp_path / "part-2.imgmanifest"), "-f", str(tmp_path / "part-2.tar.xz")]
    said(running_node, "publish", *files, url, environment=token)

    message = refused(running_node, "delete", whole)
    assert message == (
        "imgadm delete: error (ImageHasDependentClones): "
        f'image "{whole}" has dependent clones: {child}\n'
    )
    asyncio.run(running_node.client.delete(child))
    said(running_node, "delete", whole)
    lines = said(running_node, "import", manifest["uuid"]).splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        f"Importing {whole}",
        f"Imported image {whole}",
        f"Importing {manifest['uuid']}",
        f"Imported image {manifest['uuid']}",
    ]
    root = running_node.settings.pool_mount / manifest["uuid"] / "root"
    assert (root / "app/more/2").read_text() == "2\n" and (root / "app/file").exists()
    assert not os.path.lexists(root / "app/link")
    ancestry = said(running_node, "ancestry", "-H", "-o", "uuid", manifest["uuid"])
    assert ancestry.split() == [manifest["uuid"], whole]
    children = json.loads(said(running_node, "get", "-r", whole))["children"]["clones"]
    assert children == [f"zones/{manifest['uuid']}"]
    assert "has dependent clones" in refused(running_node, "delete", whole)
    planned = said(running_node, "vacuum", "-n")
    assert whole in planned and manifest["uuid"] in planned
    asked = said(running_node, "vacuum", input="n\n")
    assert asked.endswith("Delete these 2 images? [y/N] Aborting\n")
    gone = said(running_node, "vacuum", "-f").splitlines()
    assert gone == [
        f"Deleted image {manifest['uuid']} (part@2)",
        f"Deleted image {whole} (whole@1)",
    ]
    assert said(running_node, "vacuum", "-f") == ""
    roles = {image["tags"]["smartplatform:role"] for image in _images(running_node)}
    assert {"base", "stack", "runtime"} <= roles
    said(running_node, "sources", "-d", url)


def _images(node: RunningNode) -> list[dict[str, Any]]:
    return asyncio.run(node.client.images())


def tar(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        root = tarfile.TarInfo(".")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(root)
        for member in members:
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
            else:
                archive.addfile(member)
    return out.getvalue()


def special(name: str, kind: bytes, link: str = "", **more: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    for key, value in more.items():
        setattr(info, key, value)
    return info


WHOLE = tar(("app/file", b"x" * 2000))
BAD = {
    "cut": WHOLE[:1300],
    "no tar": b"hello" * 1000,
    "nothing": b"\0" * 10240,
    "zfs": b"\0" * 8 + b"\xac\xcb\xba\xf5\x02\0\0\0" + b"\0" * 1000,
    "absolute": tar(("/etc/passwd", b"x")),
    "climbs": tar(("../../outside", b"x")),
    "device": tar(special("dev/sda", tarfile.BLKTYPE, devmajor=8)),
    "through a link": tar(special("out", tarfile.SYMTYPE, "/etc"), ("out/paas-was-here", b"x")),
    "hard link out": tar(special("out", tarfile.LNKTYPE, "/etc/passwd")),
    "hard link to nothing": tar(special("out", tarfile.LNKTYPE, "absent")),
    "nobody's": tar(special("file", tarfile.REGTYPE, uid=2**20)),
    "long name": tar(("a/" * 2000 + "b", b"x")),
    "name too long": tar(("n" * 300, b"x")),
    "file as folder": tar(("a", b"x"), ("a/b", b"x")),
    "whiteout": tar(("app/.wh.file", b"")),
}


def manifest_of(file: bytes, compression: str = "none", **fields: Any) -> dict[str, Any]:
    described = {"sha1": hashlib.sha1(file).hexdigest(), "size": len(file)}
    return {
        **{"v": 2, "uuid": str(uuid.uuid4()), "name": "bad", "version": "1"},
        **{"type": "lx-dataset", "os": "linux"},
        "files": [{**described, "compression": compression}],
        **fields,
    }


def install(node: RunningNode, file: bytes, manifest: Any) -> str:
    """What the node itself says: it takes nobody's word, not imgadm's either."""
    with tempfile.TemporaryFile() as stream, pytest.raises(NodeError) as caught:
        stream.write(file)
        stream.flush()
        asked = Node(node.settings.node_socket)
        asked.ask("install_image", descriptors=[stream.fileno()], manifest=manifest, source="")
    return f"({caught.value.code}) {caught.value.message}"


def unchanged(node: RunningNode) -> list[Any]:
    pool = node.settings.pool_mount
    return [sorted(os.listdir(pool)), sorted(os.listdir(pool / ".images"))]  # noqa: PTH208


def test_a_bad_file_or_manifest_changes_nothing(running_node: RunningNode, tmp_path: Path) -> None:
    before = unchanged(running_node)
    for name, file in BAD.items():
        message = install(running_node, file, manifest_of(file))
        assert "(InvalidImageFile) " in message, (name, message)
        assert unchanged(running_node) == before, name
    assert "ZFS stream" in install(running_node, BAD["zfs"], manifest_of(BAD["zfs"]))
    (tmp_path / "m").write_text(json.dumps(manifest_of(BAD["cut"])))
    (tmp_path / "f").write_bytes(BAD["cut"])
    typed = ["install", "-m", str(tmp_path / "m"), "-f", str(tmp_path / "f")]
    assert "install: error (InvalidImageFile): " in refused(running_node, *typed)
    assert not Path("/etc/paas-was-here").exists()
    bomb = gzip.compress(WHOLE)[:-30]
    wrong: list[tuple[dict[str, Any], bytes, str]] = [
        (manifest_of(bomb, "gzip"), bomb, "InvalidImageFile"),
        (manifest_of(WHOLE, "xz"), WHOLE, "InvalidImageFile"),
        (manifest_of(WHOLE + b"\0"), WHOLE, "ChecksumError"),
        (manifest_of(WHOLE[:-1] + b"\1"), WHOLE, "ChecksumError"),
        (manifest_of(WHOLE, origin=str(uuid.uuid4())), WHOLE, "ImageNotInstalled"),
        (manifest_of(WHOLE, tags={"smartplatform:role": "base"}), WHOLE, "InvalidManifest"),
        (manifest_of(WHOLE, type="docker"), WHOLE, "NotSupported"),
        (manifest_of(WHOLE, uuid="../../x"), WHOLE, "InvalidManifest"),
        (manifest_of(WHOLE, files=[]), WHOLE, "InvalidManifest"),
    ]
    for manifest, file, code in wrong:
        assert f"({code}) " in install(running_node, file, manifest)
        assert unchanged(running_node) == before, code


@contextlib.contextmanager
def source(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server of images that answers as it likes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(PATIENCE_S)


def give(handler: http.server.BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    handler.send_response(200)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_source_that_misbehaves_is_told_from_one_that_works(running_node: RunningNode) -> None:
    before, image = unchanged(running_node), str(uuid.uuid4())
    good = manifest_of(WHOLE, uuid=image)
    answers: dict[str, bytes | None] = {
        "another": json.dumps({**good, "uuid": str(uuid.uuid4())}).encode(),
        "not valid": json.dumps({**good, "name": "a\x1b[2J"}).encode(),
        "no JSON": b"<html>",
        "deep": b"[" * 100_000,
        "a list": b"[]",
        "redirects": None,
    }
    for name, body in answers.items():

        def answer(handler: http.server.BaseHTTPRequestHandler, body: Any = body) -> None:
            if body is None:
                handler.send_response(302)
                handler.send_header("Location", handler.path + "x")
                handler.end_headers()
            else:
                give(handler, body)

        with source(answer) as url:
            message = refused(running_node, "import", "-S", url, image)
            assert "error (ClientError): " in message and "\x1b" not in message, (name, message)
    for url in ("file:///etc/passwd", "http://127.0.0.1:1", "http://[", "ftp://x"):
        assert "error (ClientError): " in refused(running_node, "import", "-S", url, image)
    assert unchanged(running_node) == before


def test_an_import_goes_on_where_it_was_cut(running_node: RunningNode) -> None:
    image, file = str(uuid.uuid4()), tar(("app/file", os.urandom(300_000)))
    manifest, asked = manifest_of(file, uuid=image), list[str]()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if not handler.path.endswith("/file"):
            give(handler, json.dumps(manifest).encode())
            return
        asked.append(handler.headers.get("Range", ""))
        begin = int(asked[-1].removeprefix("bytes=").removesuffix("-") or 0)
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(file) - 1}/{len(file)}")
        handler.send_header("Content-Length", str(len(file) - begin))
        handler.end_headers()
        handler.wfile.write(file[begin:] if begin else file[:100_000])

    with source(answer) as url:
        assert "(ClientError)" in refused(running_node, "import", "-S", url, image)
        said(running_node, "import", "-S", url, image)
    assert asked == ["", "bytes=100000-"]
    folder = running_node.settings.state / "imgadm" / "downloads"
    assert list(folder.glob("*.file*")) == []
    assert list(folder.parent.glob("create-*")) == []
    said(running_node, "delete", image)


PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: "{python}"}}
  environment:
    PATH: "{folder}:{path}"
    PAAS_INSTALLATION: "{installation}"
  tasks:
    - community.general.imgadm: {{source: "{url}", state: present}}
    - community.general.imgadm: {{uuid: "{image}", state: imported}}
    - community.general.imgadm: {{state: vacuumed}}
      when: "'{vacuum}' == 'yes'"
    - community.general.imgadm: {{uuid: "{image}", state: absent}}
      when: "'{vacuum}' == 'yes'"
"""


@pytest.mark.long
def test_ansible_changes_nothing_the_second_time(
    running_node: RunningNode, server: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    """`ansible-playbook` and the collection community.general are whoever's runs this."""
    ansible = shutil.which("ansible-playbook")
    if ansible is None:
        pytest.skip("needs ansible-playbook, with community.general")
    url, token = server
    image = str(uuid.uuid4())
    (tmp_path / "m").write_text(json.dumps(manifest_of(WHOLE, uuid=image)))
    (tmp_path / "f").write_bytes(WHOLE)
    files = ["-m", str(tmp_path / "m"), "-f", str(tmp_path / "f")]
    said(running_node, "publish", *files, url, environment=token)
    command = tmp_path / "imgadm"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m paas.node.commands.imgadm "$@"\n')
    command.chmod(0o755)
    facts = {
        "folder": str(tmp_path),
        "python": sys.executable,
        "path": os.environ["PATH"],
        "installation": running_node.settings.installation,
        "url": url,
        "image": image,
    }
    book, recap = tmp_path / "book.yml", []
    for vacuum in ("no", "no", "yes"):
        book.write_text(PLAYBOOK.format(**facts, vacuum=vacuum))
        done = subprocess.run(
            [ansible, "-i", "localhost,", str(book)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": os.getcwd()},  # noqa: PTH109
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        recap.append(re.search(r"changed=(\d+)", done.stdout.split("RECAP")[1])[1])  # type: ignore[index]
    assert recap == ["2", "0", "1"]
    said(running_node, "sources", "-d", url)
