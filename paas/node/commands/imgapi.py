"""A client of IMGAPI (sdc-imgapi), for `imgadm`: what it is told is a stranger's.

Answers are bounded in size and time, addresses are http's and https's, redirects are few.
"""

import contextlib
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlsplit

from paas.node.errors import NodeError
from paas.node.images.manifests import problems

_SILENCE_S = 60.0
_ANSWER_S = 120.0
_ANSWER_BYTES_MAX = 32 * 1024**2
_CHUNK_BYTES = 1024 * 1024
_SLOW_BYTES_S = 4096
"""A file that comes slower than this, after its first minute, is given up."""
TOKEN = "IMGADM_TOKEN"


class RemoteError(NodeError):
    """`ClientError`: the source is away, or answers what it must not."""


@dataclass(frozen=True)
class Source:
    url: str
    insecure: bool = False

    @property
    def plain(self) -> bool:
        """Whether the URL is one that can be asked."""
        try:
            parts = urlsplit(self.url)
            return (
                parts.scheme in ("http", "https")
                and bool(parts.hostname)
                and (parts.port is None or parts.port > 0)
            )
        except ValueError:
            return False


def ping(source: Source) -> None:
    """Raises RemoteError."""
    if not isinstance(_json(source, "/ping"), dict):
        raise _wrong(source, "it is no IMGAPI")


def images(source: Source) -> list[dict[str, Any]]:
    """Whole manifests alone; what is none is left out. Raises RemoteError."""
    found = _json(source, "/images?state=active")
    if not isinstance(found, list):
        raise _wrong(source, "its list of images is none")
    return [image for image in found if isinstance(image, dict) and not problems(image)]


def image(source: Source, uuid: str) -> dict[str, Any] | None:
    """The manifest; None where it has none. Raises RemoteError."""
    try:
        found = _json(source, f"/images/{quote(uuid)}")
    except RemoteError as error:
        if error.code == "ResourceNotFound":
            return None
        raise
    if not isinstance(found, dict) or found.get("uuid") != uuid:
        raise _wrong(source, f"what it gives as image {uuid} is another")
    if complaints := problems(found):
        text = "; ".join(complaint["message"] for complaint in complaints)
        raise _wrong(source, f"the manifest of image {uuid} is not valid: {text:.300}")
    return found


def download(source: Source, uuid: str, size_bytes: int, target: IO[bytes]) -> None:
    """The rest of a file after what `target` has of it. Raises RemoteError, OSError."""
    begin = target.seek(0, os.SEEK_END)
    if begin > size_bytes:
        begin = 0
    headers = {"Range": f"bytes={begin}-"} if begin else {}
    if begin == size_bytes:
        return
    with _asked(source, f"/images/{quote(uuid)}/file", headers) as answer:
        whole = answer.headers.get("Content-Range", "").startswith(f"bytes {begin}-")
        if not (answer.status == 206 and whole):
            begin = 0
        target.seek(begin)
        target.truncate()
        _copy(source, answer, target, size_bytes - begin)


def _copy(source: Source, answer: Any, target: IO[bytes], left_bytes: int) -> None:
    began, copied = time.monotonic(), 0
    while part := answer.read1(_CHUNK_BYTES):
        copied += len(part)
        if copied > left_bytes:
            raise _wrong(source, "the image's file is larger than its manifest says")
        target.write(part)
        spent_s = time.monotonic() - began
        if spent_s > _SILENCE_S and copied < spent_s * _SLOW_BYTES_S:
            raise _wrong(source, f"it sends less than {_SLOW_BYTES_S} bytes a second")
    if copied < left_bytes:
        raise _wrong(source, "the connection ended before the image's file did: import it again")


def publish(source: Source, manifest: Mapping[str, Any], file: IO[bytes]) -> None:
    """Create, fill and activate an image there. Raises RemoteError."""
    described = manifest["files"][0]
    kept = {key: value for key, value in manifest.items() if key not in _SERVERS_OWN}
    uuid, size = quote(str(manifest["uuid"])), str(described["size"])
    _send(source, "POST", "/images", json.dumps(kept).encode(), {"Content-Type": _JSON_TYPE})
    where = f"/images/{uuid}/file?compression={quote(described['compression'])}"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": size}
    _send(source, "PUT", f"{where}&sha1={quote(described['sha1'])}", file, headers)
    _send(source, "POST", f"/images/{uuid}?action=activate", b"", {})


_SERVERS_OWN = ("files", "state", "activated", "published_at", "disabled")
_JSON_TYPE = "application/json"


def _send(
    source: Source, method: str, path: str, data: bytes | IO[bytes], headers: Mapping[str, str]
) -> None:
    token = os.environ.get(TOKEN)
    authority = {"Authorization": f"Bearer {token}"} if token else {}
    with _asked(source, path, {**headers, **authority}, method, data) as answer:
        answer.read(_ANSWER_BYTES_MAX)


def _json(source: Source, path: str) -> Any:
    deadline_s = time.monotonic() + _ANSWER_S
    with _asked(source, path, {"Accept": _JSON_TYPE}) as answer:
        text = bytearray()
        while part := answer.read1(_CHUNK_BYTES):
            text += part
            if len(text) > _ANSWER_BYTES_MAX:
                raise _wrong(source, f"it answers more than {_ANSWER_BYTES_MAX} bytes")
            if time.monotonic() > deadline_s:
                raise _wrong(source, f"its answer was not whole after {_ANSWER_S:.0f} s")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(source, f"its answer is no JSON: {error}"[:200]) from error


@contextlib.contextmanager
def _asked(
    source: Source,
    path: str,
    headers: Mapping[str, str],
    method: str = "GET",
    data: bytes | IO[bytes] | None = None,
) -> Iterator[Any]:
    if not source.plain:
        raise _wrong(source, "it is no http or https URL")
    base = source.url.partition("?")[0].rstrip("/")
    try:
        request = urllib.request.Request(
            base + path, data=data, headers=dict(headers), method=method
        )
        with _opener(source).open(request, timeout=_SILENCE_S) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        raise _refusal(source, error) from error
    except TimeoutError as error:
        raise _wrong(source, f"it said nothing for {_SILENCE_S:.0f} s") from error
    except (urllib.error.URLError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error or type(error).__name__
        raise _wrong(source, str(why)[:300]) from error
    except (ConnectionError, UnicodeError, ValueError, ssl.SSLError) as error:
        raise _wrong(source, str(error)[:300]) from error


def _opener(source: Source) -> urllib.request.OpenerDirector:
    insecure = source.insecure or os.environ.get("IMGADM_INSECURE") == "1"
    context = ssl._create_unverified_context() if insecure else ssl.create_default_context()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A token is for whom it was meant."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        found = super().redirect_request(*arguments)
        if found is not None:
            found.remove_header("Authorization")
        return found


def _refusal(source: Source, error: urllib.error.HTTPError) -> RemoteError:
    """IMGAPI's `{code, message}`, where it is one."""
    try:
        said = json.loads(error.read(_CHUNK_BYTES))
        code, message = str(said["code"])[:64], str(said["message"])[:500]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException):
        code = "ResourceNotFound" if error.code == 404 else "ClientError"
        message = f"{error.code} {error.reason}"
    return RemoteError(code, f'image source "{source.url}": {message}')


def _wrong(source: Source, why: str) -> RemoteError:
    return RemoteError("ClientError", f'image source "{source.url}": {why}')
