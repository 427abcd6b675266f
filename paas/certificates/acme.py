"""One order at an ACME server (RFC 8555), proved over HTTP. Blocks: for a thread.

    order = begin(directory, email, account_path, hostname)    what has to be answered for it
    finish(order) → Issued                                     when that is answered

Every request and wait has a time limit. The account's key is on disk (0600) before the server hears
of it. An order that a crash cuts off is simply forgotten: the server lets it expire.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from paas.certificates.authority import Issued, pem
from paas.errors import PlatformError
from paas.system.files import write_by_rename

REQUEST_TIMEOUT_S = 15
ORDER_TIMEOUT_S = 90
NONCE_ATTEMPTS = 10
_REASON_CHARACTERS_MAX = 500
_account_lock = threading.Lock()


class Refused(Exception):
    """The server said no, or could not be reached; the message is for the domain's owner."""

    def __init__(self, reason: str, *, rate_limited: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rate_limited = rate_limited


@dataclass(frozen=True)
class Order:
    """`answers` maps tokens to what must be said at `/.well-known/acme-challenge/<token>`."""

    answers: dict[str, str]
    key: bytes = field(repr=False)
    server: client.ClientV2 = field(repr=False)
    resource: messages.OrderResource = field(repr=False)
    challenges: list[tuple[messages.ChallengeBody, Any]] = field(repr=False)


class _Network(client.ClientNetwork):
    """Asks again when a nonce is refused (RFC 8555 §6.5), more than the one time of the library."""

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(NONCE_ATTEMPTS):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)


def begin(directory: str, email: str, account_path: Path, hostname: str) -> Order:
    """Raises Refused, and PlatformError when the account's key is damaged."""
    key = JWKEC(key=_account_key(account_path))
    try:
        acme = _client(directory, email, key)
        certificate_key = pem(ec.generate_private_key(ec.SECP256R1()))
        resource = acme.new_order(crypto_util.make_csr(certificate_key, domains=[hostname]))
        chosen = [_http_challenge(authorization) for authorization in _pending(resource)]
        parts = [(each, each.response_and_validation(key)) for each in chosen]
    except (errors.Error, messages.Error, requests.RequestException, ValueError) as error:
        raise _refused(error) from error
    answers = {each.chall.encode("token"): said for each, (_, said) in parts}
    waiting = [(each, response) for each, (response, _) in parts]
    return Order(answers, certificate_key, acme, resource, waiting)


def finish(order: Order) -> Issued:
    """Let the server look, and fetch the certificate. Raises Refused."""
    deadline = datetime.now() + timedelta(seconds=ORDER_TIMEOUT_S)  # the library's: naive
    try:
        for challenge, response in order.challenges:
            order.server.answer_challenge(challenge, response)
        done = order.server.poll_and_finalize(order.resource, deadline)
    except (errors.Error, messages.Error, requests.RequestException, ValueError) as error:
        raise _refused(error) from error
    return Issued(done.fullchain_pem, order.key.decode())


def _client(directory: str, email: str, key: JWKEC) -> client.ClientV2:
    network = _Network(key, alg=ES256, user_agent="smartplatform", timeout=REQUEST_TIMEOUT_S)
    acme = client.ClientV2(client.ClientV2.get_directory(directory, network), network)
    registration = messages.NewRegistration.from_data(
        email=email or None, terms_of_service_agreed=True
    )
    try:
        network.account = acme.new_account(registration)
    except errors.ConflictError as known:
        network.account = messages.RegistrationResource(
            body=messages.Registration(), uri=known.location
        )
    return acme


def _account_key(path: Path) -> ec.EllipticCurvePrivateKey:
    with _account_lock:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_by_rename(path, pem(ec.generate_private_key(ec.SECP256R1())))
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except ValueError as error:
        raise PlatformError(f"the ACME account's key {path} is damaged: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PlatformError(f"the ACME account's key {path} is of another kind")
    return key


def _pending(resource: messages.OrderResource) -> list[messages.AuthorizationResource]:
    """Those that the server does not remember as proved."""
    return [each for each in resource.authorizations if each.body.status != messages.STATUS_VALID]


def _http_challenge(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    for each in authorization.body.challenges:
        if isinstance(each.chall, challenges.HTTP01):
            return each
    raise Refused("the certificate authority offers no proof over HTTP")


def _refused(error: Exception) -> Refused:
    match error:
        case errors.ValidationError():
            found = [
                str(challenge.error.detail)
                for authorization in error.failed_authzrs
                for challenge in authorization.body.challenges
                if challenge.error is not None
            ]
            return Refused(_printable(f"the proof over HTTP failed: {'; '.join(found)}"))
        case messages.Error():
            text = f"the certificate authority refuses: {error.detail or error.title}"
            return Refused(_printable(text), rate_limited=error.code == "rateLimited")
        case requests.RequestException():
            return Refused(f"the certificate authority does not answer ({type(error).__name__})")
        case errors.TimeoutError():
            return Refused("the certificate authority did not finish in time")
    return Refused(_printable(f"the certificate authority answered nonsense: {error}"))


def _printable(text: str) -> str:
    """What a server says may hold what a visited host said: nothing that steers a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)[:_REASON_CHARACTERS_MAX]
