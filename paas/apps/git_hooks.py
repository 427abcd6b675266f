"""What a git host sends when something was pushed: who has signed it, and what it says. Pure.

GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/ (the secret token; the signing
token as https://www.standardwebhooks.com has it)
Gitea, Forgejo: https://docs.gitea.com/usage/webhooks
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from paas.apps.git_connections import Kind
from paas.errors import UserError

BODY_BYTES_MAX = 8 * 1024 * 1024
"""A push of thousands of commits names their files."""
SKEW_S = 300.0
_NO_COMMIT = "0" * 40
_EVENTS = {
    Kind.GITHUB: ("x-github-event",),
    Kind.GITLAB: ("x-gitlab-event",),
    Kind.GITEA: ("x-forgejo-event", "x-gitea-event"),
}
_PUSHES = ("push", "Push Hook")


@dataclass(frozen=True)
class Event:
    """`pushed` is the full name of the branch; empty for whatever else there is to tell."""

    name: str
    pushed: str = ""


def is_signed(
    kind: Kind, headers: Mapping[str, str], body: bytes, secret: str, now_s: float
) -> bool:
    """`headers` have lower-case names."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    match kind:
        case Kind.GITHUB:
            return _equal(headers.get("x-hub-signature-256", ""), f"sha256={digest}")
        case Kind.GITEA:
            said = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature", "")
            return _equal(said, digest)
        case Kind.GITLAB if "webhook-signature" in headers:
            return _is_standard(headers, body, secret, now_s)
        case Kind.GITLAB:
            return _equal(headers.get("x-gitlab-token", ""), secret)


def event(kind: Kind, headers: Mapping[str, str], body: bytes) -> Event:
    """What a signed request tells. Raises UserError for what is no such thing."""
    name = next((headers[each] for each in _EVENTS[kind] if headers.get(each)), "")
    if name not in _PUSHES:
        return Event(name[:80])
    payload = _payload(headers.get("content-type", ""), body)
    ref, after = payload.get("ref"), payload.get("after")
    if not isinstance(ref, str) or not isinstance(after, str):
        raise UserError("bad_request", "The push has no `ref` and `after`.")
    return Event(name, "" if after == _NO_COMMIT else ref)


def _is_standard(headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> bool:
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit() and len(at) < 16 and abs(int(at) - now_s) <= SKEW_S):
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    signed = f"{id}.{at}.".encode("utf-8", "replace") + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # Separated by spaces there is one for each key that holds.
    found = [_equal(each, f"v1,{expected}") for each in headers["webhook-signature"].split()]
    return any(found)


def _equal(said: str, expected: str) -> bool:
    return hmac.compare_digest(said.strip().encode("utf-8", "replace"), expected.encode())


def _payload(content_type: str, body: bytes) -> dict[str, Any]:
    """JSON, or GitHub's and Gitea's other form: a field of that name."""
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            fields = parse_qs(body.decode(), max_num_fields=10)
            body = fields.get("payload", [""])[0].encode()
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError("bad_request", "The body is no JSON.") from error
    if not isinstance(found, dict):
        raise UserError("bad_request", "The body is no JSON object.")
    return found
