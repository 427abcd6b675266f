"""Hooks of git hosts: whose signature holds, and what they tell.

The signatures are those of the makers' own pages, or made by OpenSSL.
"""

import base64
import json
import subprocess
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.git_connections import Kind, new_secret
from paas.apps.git_hooks import SKEW_S, event, is_signed
from paas.errors import UserError

NOW_S = 1_700_000_000.0
COMMIT = "95790bf891e76fee5e1747ab589903a6a1f80f22"
PUSH = {"ref": "refs/heads/main", "before": "0" * 40, "after": COMMIT, "commits": []}


def openssl(key: bytes, body: bytes) -> bytes:
    words = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}"]
    return subprocess.run([*words, "-binary"], input=body, capture_output=True, check=True).stdout


def test_the_example_of_githubs_own_page() -> None:
    # docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    headers = {"x-hub-signature-256": f"sha256={digest}"}
    assert is_signed(Kind.GITHUB, headers, body, secret, NOW_S)
    assert is_signed(Kind.GITEA, {"x-gitea-signature": digest}, body, secret, NOW_S)
    assert not is_signed(Kind.GITHUB, headers, body + b"!", secret, NOW_S)
    assert not is_signed(Kind.GITHUB, headers, body, "another", NOW_S)
    assert not is_signed(Kind.GITHUB, {"x-hub-signature-256": digest}, body, secret, NOW_S)
    # The old one, which GitHub still sends beside it, is not enough.
    assert not is_signed(Kind.GITHUB, {"x-hub-signature": "sha1=x"}, body, secret, NOW_S)


def standard(secret: str, body: bytes, at_s: float, id: str = "evt-1") -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{id}.{int(at_s)}.".encode() + body
    signature = base64.b64encode(openssl(key, signed)).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at_s)),
        "webhook-signature": f"v1,AAAA v1,{signature}",
    }


def test_gitlabs_signing_token_holds_for_minutes_and_for_its_body() -> None:
    secret, body = new_secret(), b'{"object_kind": "push"}'
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    headers = standard(secret, body, NOW_S)
    assert is_signed(Kind.GITLAB, headers, body, secret, NOW_S)
    assert is_signed(Kind.GITLAB, headers, body, secret, NOW_S + SKEW_S)
    assert not is_signed(Kind.GITLAB, headers, body, secret, NOW_S + SKEW_S + 1)
    assert not is_signed(Kind.GITLAB, headers, body, secret, NOW_S - SKEW_S - 1)
    assert not is_signed(Kind.GITLAB, headers, body + b" ", secret, NOW_S)
    assert not is_signed(Kind.GITLAB, headers | {"webhook-id": "x"}, body, secret, NOW_S)
    # A bad signature is not made good by the token beside it.
    bad = {"webhook-signature": "v1,x", "x-gitlab-token": secret}
    assert not is_signed(Kind.GITLAB, bad, body, secret, NOW_S)
    assert is_signed(Kind.GITLAB, {"x-gitlab-token": secret}, body, secret, NOW_S)
    assert not is_signed(Kind.GITLAB, {"x-gitlab-token": secret[:-1]}, body, secret, NOW_S)


@given(
    st.sampled_from(list(Kind)),
    st.dictionaries(
        st.sampled_from(
            [
                *("x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature"),
                *("x-gitlab-token", "webhook-id", "webhook-timestamp", "webhook-signature"),
            ]
        ),
        st.text(max_size=80),
    ),
    st.binary(max_size=50),
)
def test_nothing_else_is_signed(kind: Kind, headers: dict[str, str], body: bytes) -> None:
    assert not is_signed(kind, headers, body, "whsec_c2VjcmV0", NOW_S)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (Kind.GITHUB, {"x-github-event": "push"}),
        (Kind.GITLAB, {"x-gitlab-event": "Push Hook"}),
        (Kind.GITEA, {"x-gitea-event": "push", "x-github-event": "push"}),
        (Kind.GITEA, {"x-forgejo-event": "push", "x-gitea-event": "push"}),
    ],
)
def test_a_push_tells_its_branch(kind: Kind, headers: dict[str, str]) -> None:
    body = json.dumps(PUSH).encode()
    assert event(kind, headers, body).pushed == "refs/heads/main"
    form = headers | {"content-type": "application/x-www-form-urlencoded"}
    assert event(kind, form, urlencode({"payload": body}).encode()).pushed == "refs/heads/main"
    deleted = json.dumps(PUSH | {"after": "0" * 40}).encode()
    assert event(kind, headers, deleted).pushed == ""
    for bad in (b"", b"[]", b"{", b"[" * 100_000, b'{"ref": 1}'):
        with pytest.raises(UserError):
            event(kind, headers, bad)


def test_other_events_push_nothing() -> None:
    assert event(Kind.GITHUB, {"x-github-event": "ping"}, b"{}").pushed == ""
    assert event(Kind.GITLAB, {"x-gitlab-event": "Tag Push Hook"}, b"{}").pushed == ""
    assert event(Kind.GITEA, {}, b"").pushed == ""
