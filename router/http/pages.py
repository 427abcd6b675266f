"""What a visitor is told when the router itself answers: a page for people, JSON for programs."""

import html
import json
import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from router.http.failures import Failure

_TITLES = {
    "H10": "This app has crashed",
    "H14": "This app is not running",
    "H31": "There is no such app here",
    "H80": "Down for maintenance",
    "H81": "No version of this app has gone live yet",
}
_HINTS = {
    "H10": "If this is your app: <code>paas logs</code> has its last words.",
    "H14": "If this is your app: <code>paas ps:scale web=1</code> starts it.",
    "H31": "If this is your app: <code>paas domains</code> lists its names.",
    "H80": "Please try again in a while.",
    "H81": "If this is your app: <code>git push paas main</code> brings it to life. After a "
    "push that failed, <code>paas builds:output</code> says why.",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; color: #2b2b33;
  background: #f6f6f8; font: 17px/1.5 system-ui, sans-serif }}
main {{ max-width: 34rem; padding: 2rem }}
h1 {{ font-size: 1.7rem; margin: 0 0 .5rem }}
small {{ color: #77777f }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{hint}</p>
<p><small>{code} · {description} · request <code>{request_id}</code></small></p>
</main>
</body>
</html>
"""


_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Application error</title>
<style>
html, body, iframe {{ margin: 0; border: 0; width: 100%; height: 100%; display: block }}
</style>
</head>
<body>
<iframe src="{url}" title="Application error"></iframe>
</body>
</html>
"""


def response(
    failure: Failure,
    request_id: bytes,
    wants_html: bool,
    head_only: bool,
    close: bool,
    now: float,
    own_page: bytes = b"",
) -> tuple[bytes, int]:
    """The whole response, and how long its body is in bytes. `own_page` is the app's; `now` is in
    seconds since the epoch."""
    if wants_html:
        body = own_page or _page(failure, request_id.decode())
        kind = b"text/html; charset=utf-8"
    else:
        body, kind = _object(failure, request_id.decode()), b"application/json"
    status = 400 if failure.status == 499 else failure.status
    head = (
        b"HTTP/1.1 %d %b\r\n%bContent-Type: %b\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-cache, no-store\r\nX-Request-Id: %b\r\n%b%b\r\n"
    ) % (
        status,
        HTTPStatus(status).phrase.encode(),
        date(int(now)),
        kind,
        len(body),
        request_id,
        b"Retry-After: %d\r\n" % failure.retry_after_s if failure.retry_after_s else b"",
        b"Connection: close\r\n" if close else b"",
    )
    return (head, 0) if head_only else (head + body, len(body))


@lru_cache(maxsize=2)
def date(second: int) -> bytes:
    """The line that says when an answer was made (RFC 9110 §6.6.1)."""
    return b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()


def framing(url: str) -> bytes:
    """A page that shows the page of an app's owner; nothing without a URL."""
    return _FRAME.format(url=html.escape(url)).encode() if url else b""


def wants_html(block: bytes) -> bool:
    """Does the Accept field in a request's fields name HTML?"""
    accept = re.search(rb"(?i)(?:^|\n)accept:([^\r]*)", block)
    return accept is not None and b"text/html" in accept[1].lower()


def _page(failure: Failure, request_id: str) -> bytes:
    title = _TITLES.get(failure.code, "This request could not be served")
    hint = _HINTS.get(
        failure.code, "Please try again, and if it stays so tell the owner of the app."
    )
    return _PAGE.format(
        title=title,
        hint=hint,
        code=failure.code,
        description=html.escape(failure.description),
        request_id=html.escape(request_id),
    ).encode()


def _object(failure: Failure, request_id: str) -> bytes:
    answer = {
        "id": "router_error",
        "code": failure.code,
        "message": failure.description,
        "request_id": request_id,
    }
    return json.dumps(answer).encode() + b"\n"
