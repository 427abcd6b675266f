"""IMGAPI (sdc-imgapi) for other nodes' `imgadm`: images that were published here, and no more.

    GET  /ping, /images, /images/UUID, /images/UUID/file              for everybody
    POST /images, /images/UUID?action=activate; PUT /images/UUID/file; DELETE /images/UUID
                                                                      with `Authorization: Bearer`

A process of its own, a plain user's: it knows no machine, and the node's socket is closed to it.
Files are `<state>/imgapi/UUID.{json,file}`; what is unfinished ends in `-partial`.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from paas.node.images import confinement, manifests

_MANIFEST_BYTES_MAX = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_RESERVE_BYTES = 1024**3
_LIMIT_MAX = 1000
_CONNECTIONS_MAX = 64
_FILTERS = ("name", "version", "os", "type", "state", "owner")
_IMAGE = re.compile(r"/images/([0-9a-f-]{36})")
_FILE = re.compile(r"/images/([0-9a-f-]{36})/file")
_RANGE = re.compile(r"bytes=(\d{1,18})-")


class Refusal(Exception):
    """`{code, message}` as sdc-imgapi has them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Published:
    """The images of a folder. What changes one holds the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        for partial in folder.glob("*-partial*"):
            partial.unlink()

    def list(self) -> list[dict[str, Any]]:
        found = [self._read(file) for file in sorted(self.folder.glob("*.json"))]
        return [manifest for manifest in found if manifest is not None]

    def get(self, uuid: str) -> dict[str, Any]:
        found = self._read(self.folder / f"{uuid}.json") if manifests.is_uuid(uuid) else None
        if found is None:
            raise Refusal(404, "ResourceNotFound", f"image {uuid} was not found")
        return found

    def file(self, uuid: str) -> Path:
        path = self.folder / f"{self.get(uuid)['uuid']}.file"
        if not path.exists():
            raise Refusal(404, "ResourceNotFound", f"image {uuid} has no file yet")
        return path

    def create(self, given: Any) -> dict[str, Any]:
        """An image that is not active yet, also in place of another such one: of a try before."""
        if not isinstance(given, dict):
            raise Refusal(422, "ValidationFailed", "the manifest is no JSON object")
        state = {"state": "unactivated", "activated": False, "disabled": False}
        kept = {key: value for key, value in given.items() if key not in ("files", "published_at")}
        made = {"owner": manifests.NOBODY, "public": False, **kept, **state}
        if complaints := manifests.problems(made):
            text = "; ".join(complaint["message"] for complaint in complaints)
            raise Refusal(422, "ValidationFailed", text[:1000])
        with self._lock:
            before = self._read(self.folder / f"{made['uuid']}.json")
            if before is not None and before["state"] != "unactivated":
                text = f"image {made['uuid']} exists already"
                raise Refusal(409, "ImageUuidAlreadyExists", text)
            self._write(made)
        return made

    def activate(self, uuid: str) -> dict[str, Any]:
        with self._lock:
            manifest = self.get(uuid)
            if manifest["state"] == "active":
                raise Refusal(422, "ImageAlreadyActivated", f"image {uuid} is active already")
            if not manifest.get("files") or not (self.folder / f"{uuid}.file").exists():
                raise Refusal(422, "NoActivationNoFile", f"image {uuid} has no file yet")
            now = datetime.now(UTC)
            moment = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"
            made = {**manifest, "state": "active", "activated": True, "published_at": moment}
            self._write(made)
        return made

    def fill(self, uuid: str, partial: Path, file: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            manifest = self._fillable(uuid)
            partial.rename(self.folder / f"{uuid}.file")
            made = {**manifest, "files": [file]}
            self._write(made)
        return made

    def check_fillable(self, uuid: str) -> None:
        self._fillable(uuid)

    def _fillable(self, uuid: str) -> dict[str, Any]:
        manifest = self.get(uuid)
        if manifest["state"] != "unactivated":
            text = f"image {uuid} is active: its file can't be changed"
            raise Refusal(422, "ImageFilesImmutable", text)
        return manifest

    def delete(self, uuid: str) -> None:
        with self._lock:
            self.get(uuid)
            made_of_it = [one["uuid"] for one in self.list() if one.get("origin") == uuid]
            if made_of_it:
                text = f"image {uuid} is the origin of {', '.join(made_of_it)}"
                raise Refusal(422, "ImageHasDependentImages", text)
            (self.folder / f"{uuid}.json").unlink()
            (self.folder / f"{uuid}.file").unlink(missing_ok=True)

    def _write(self, manifest: dict[str, Any]) -> None:
        file = self.folder / f"{manifest['uuid']}.json"
        partial = file.with_name(f"{file.name}-partial")
        with partial.open("w") as out:
            json.dump(manifest, out)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)

    def _read(self, file: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None


class Handler(BaseHTTPRequestHandler):
    """One connection, one request after the other. `published` and `token` are set by `serve`."""

    protocol_version = "HTTP/1.1"
    server_version = "SmartPlatform-IMGAPI"
    sys_version = ""
    timeout = 60
    published: Published
    token: bytes
    room = threading.BoundedSemaphore(_CONNECTIONS_MAX)

    def handle(self) -> None:
        with self.room:
            super().handle()

    def do_GET(self) -> None:
        with self._answering():
            path = urlsplit(self.path).path
            if path == "/ping":
                self._json({"ping": "pong", "version": "1.0.0", "imgapi": True})
            elif path == "/images":
                self._json(self._chosen())
            elif found := _FILE.fullmatch(path):
                self._file(self.published.file(found[1]))
            elif found := _IMAGE.fullmatch(path):
                self._json(self.published.get(found[1]))
            else:
                raise Refusal(404, "ResourceNotFound", f"{path[:200]} does not exist")

    def do_POST(self) -> None:
        with self._answering():
            self._authorize()
            path, body = urlsplit(self.path).path, self._body()
            if path == "/images":
                self._json(self.published.create(_parsed(body)))
            elif found := _IMAGE.fullmatch(path):
                if self._query("action") != "activate":
                    action = self._query("action")
                    raise Refusal(422, "InvalidParameter", f'there is no action "{action[:50]}"')
                self._json(self.published.activate(found[1]))
            else:
                raise Refusal(404, "ResourceNotFound", f"{path[:200]} does not exist")

    def do_PUT(self) -> None:
        with self._answering():
            self._authorize()
            found = _FILE.fullmatch(urlsplit(self.path).path)
            if found is None:
                raise Refusal(404, "ResourceNotFound", f"{self.path[:200]} does not exist")
            self.published.check_fillable(found[1])
            self._json(self._take(found[1]))

    def do_DELETE(self) -> None:
        with self._answering():
            self._authorize()
            found = _IMAGE.fullmatch(urlsplit(self.path).path)
            self.published.delete(found[1] if found else self.path[:200])
            self.send_response(204)
            self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: addresses and paths are visitors'."""

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """A refusal ends the connection: the rest of a body may still be on its way."""
        try:
            yield
        except Refusal as error:
            self.close_connection = True
            record = {"code": error.code, "message": str(error)}
            self._json(record, error.status, {"Connection": "close"})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except OSError as error:
            self.close_connection = True
            record = {"code": "StorageIsDown", "message": error.strerror or "it can't be kept"}
            self._json(record, 503, {"Connection": "close"})

    def _authorize(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(hashlib.sha256(given).digest(), self.token):
            text = "this needs the server's token: IMGADM_TOKEN=... imgadm publish ..."
            raise Refusal(401, "UnauthorizedError", text)

    def _query(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"\d{1,18}", text):
            raise Refusal(411, "InvalidHeader", "Content-Length is missing")
        return int(text)

    def _body(self) -> bytes:
        size = self._length()
        if size > _MANIFEST_BYTES_MAX:
            raise Refusal(413, "RequestEntityTooLarge", f"more than {_MANIFEST_BYTES_MAX} bytes")
        body = self.rfile.read(size)
        if len(body) != size:
            raise ConnectionAbortedError
        return body

    def _chosen(self) -> list[dict[str, Any]]:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        found = [manifest for manifest in self.published.list() if _wanted(manifest, query)]
        found.sort(key=lambda manifest: (str(manifest.get("published_at", "")), manifest["uuid"]))
        if marker := query.get("marker"):
            uuids = [manifest["uuid"] for manifest in found]
            found = found[uuids.index(marker) + 1 :] if marker in uuids else []
        limit = query.get("limit", str(_LIMIT_MAX))
        if not re.fullmatch(r"[1-9]\d{0,3}", limit) or int(limit) > _LIMIT_MAX:
            raise Refusal(422, "InvalidParameter", f"limit is from 1 to {_LIMIT_MAX}")
        return found[: int(limit)]

    def _file(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            begin = int(asked[1]) if asked else 0
            if asked and begin >= size:
                raise Refusal(416, "InvalidParameter", f"the file has {size} bytes")
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size - begin))
            self.end_headers()
            file.seek(begin)
            shutil.copyfileobj(file, self.wfile, _CHUNK_BYTES)

    def _take(self, uuid: str) -> dict[str, Any]:
        size, compression = self._length(), self._query("compression")
        if compression not in ("none", "gzip", "bzip2", "xz") or size == 0:
            raise Refusal(422, "InvalidParameter", "compression is one of none, gzip, bzip2, xz")
        if shutil.disk_usage(self.published.folder).free - size < _RESERVE_BYTES:
            raise Refusal(503, "StorageIsDown", f"there is no room for {size} bytes")
        partial = self.published.folder / f"{uuid}.file-partial-{threading.get_ident()}"
        digest, left = hashlib.sha1(usedforsecurity=False), size
        try:
            with partial.open("wb") as out:
                while left and (part := self.rfile.read(min(left, _CHUNK_BYTES))):
                    digest.update(part)
                    out.write(part)
                    left -= len(part)
                out.flush()
                os.fsync(out.fileno())
            if left:
                raise ConnectionAbortedError
            if self._query("sha1") not in ("", digest.hexdigest()):
                text = f"sha1 of the file is {digest.hexdigest()}, expected: {self._query('sha1')}"
                raise Refusal(400, "UploadError", text[:300])
            file = {"sha1": digest.hexdigest(), "size": size, "compression": compression}
            return self.published.fill(uuid, partial, file)
        finally:
            partial.unlink(missing_ok=True)

    def _json(self, record: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(record).encode()
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "InvalidParameter", f"the manifest is no JSON: {error}") from error


def _wanted(manifest: dict[str, Any], query: dict[str, str]) -> bool:
    """`state` is active unless another, or all, is asked for; `name=~text` is a part of it."""
    wanted = {"state": "active", **{key: query[key] for key in _FILTERS if key in query}}
    for key, value in wanted.items():
        found = str(manifest.get(key, ""))
        if key == "state" and value == "all":
            continue
        if not (value[1:] in found if value.startswith("~") else found == value):
            return False
    tags = {key[4:]: value for key, value in query.items() if key.startswith("tag.")}
    held = manifest.get("tags", {})
    return all(str(held.get(key)) == value for key, value in tags.items())


class Server(ThreadingHTTPServer):
    """IPv4 or IPv6, by the address. Its threads end with it."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who went away in the middle is no error of ours."""


def main(arguments: list[str]) -> None:
    """PARENT FOLDER ADDRESS PORT USER; it says `ready` on standard output. Root at first."""
    parent, folder, address, port, user = arguments
    confinement.die_with(int(parent))
    Handler.token = hashlib.sha256((Path(folder) / "token").read_bytes().strip()).digest()
    if ":" in address:
        import socket

        Server.address_family = socket.AF_INET6
    server = Server((address, int(port)), Handler)
    images = Path(folder) / "images"
    lock = os.open(images, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(int(user), int(user), int(user))
        os.setresuid(int(user), int(user), int(user))
        confinement.die_with(int(parent))
    os.umask(0o077)
    Handler.published = Published(images)
    print(f"ready {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
