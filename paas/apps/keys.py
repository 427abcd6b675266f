"""SSH keys: what a public key is, and what its holder may do. Pure.

A key stands for the account that brought it, as a token does, and has a token's scopes (scopes.py):
`write-protected`, which pushes, unless somebody asks for less.
"""

import base64
from dataclasses import dataclass

from paas.apps import scopes
from paas.apps.scopes import Scope
from paas.errors import UserError

LINE_BYTES_MAX = 16 * 1024
COMMENT_CHARACTERS_MAX = 200
RSA_BITS_LEAST = 2048
DEFAULT_SCOPE = (str(Scope.WRITE_PROTECTED),)
_HINT = "It is the one line of a file such as ~/.ssh/id_ed25519.pub. To make one: ssh-keygen"


@dataclass(frozen=True)
class PublicKey:
    """`data` is the key as SSH encodes it (RFC 4253 §6.6), `fingerprint` is `SHA256:…`."""

    kind: str
    data: bytes
    fingerprint: str
    comment: str

    @property
    def line(self) -> str:
        """As in authorized_keys and in files that end in .pub."""
        return f"{self.kind} {base64.b64encode(self.data).decode()} {self.comment}".rstrip()


def parse(text: str) -> PublicKey:
    """The key of one line in OpenSSH's form (sshd(8), AUTHORIZED_KEYS FILE FORMAT), no options.

    Raises UserError.
    """
    line = text.strip()
    if "PRIVATE KEY" in line:
        message = "This is a private key, which nobody else may see."
        raise UserError("invalid_params", message, "Its public half ends in .pub: paas keys:add")
    if "\n" in line or len(line) > LINE_BYTES_MAX:
        raise UserError("invalid_params", "A public key is one line.", _HINT)
    # Tens of megabytes, for the few who bring a key.
    import asyncssh

    try:
        key = asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise UserError(
            "invalid_params", f"This is no public key of SSH: {error}.", _HINT
        ) from error
    kind = key.get_algorithm()
    if kind not in line.split()[:1]:
        # OpenSSH's form only: what PEM says of itself is nowhere shown.
        raise UserError("invalid_params", "This is no public key in OpenSSH's form.", _HINT)
    _check_strength(key.pyca_key, kind)
    comment = key.get_comment() or ""
    printable = "".join(sign for sign in comment if sign.isprintable())
    return PublicKey(
        kind, key.public_data, key.get_fingerprint(), printable[:COMMENT_CHARACTERS_MAX]
    )


def _check_strength(key: object, kind: str) -> None:
    bits = getattr(key, "key_size", RSA_BITS_LEAST)
    if kind == "ssh-dss" or (kind == "ssh-rsa" and bits < RSA_BITS_LEAST):
        weak = "a DSA key" if kind == "ssh-dss" else f"an RSA key of {bits} bits"
        hint = "Make another one: ssh-keygen -t ed25519"
        raise UserError("invalid_params", f"This is {weak}, which can be forged.", hint)


def refusal(held: tuple[str, ...], *, pushes: bool) -> UserError | None:
    """Why a key with these scopes may not push, or not fetch; None when it may."""
    needed = Scope.WRITE_PROTECTED if pushes else Scope.READ
    if scopes.allows(held, needed):
        return None
    what = "A push" if pushes else "A fetch"
    return UserError(
        "forbidden",
        f"{what} needs a key with the scope {needed}; this one has {', '.join(held)}.",
        f"Somebody who may do everything brings one: paas keys:add --scope {needed}",
    )
