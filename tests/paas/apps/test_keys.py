"""Public keys, judged by ssh-keygen."""

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps import keys
from paas.errors import UserError

TIMEOUT_S = 60


def keygen(folder: Path, *options: str) -> str:
    """The public key of a new pair."""
    words = ["ssh-keygen", "-q", "-N", "", "-C", "ada@laptop", "-f", str(folder / "id"), *options]
    subprocess.run(words, check=True, timeout=TIMEOUT_S, capture_output=True)
    return (folder / "id.pub").read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["-t", "ed25519"],
        ["-t", "rsa", "-b", "3072"],
        *(["-t", "ecdsa", "-b", bits] for bits in ("256", "384", "521")),
    ],
)  # fmt: skip
def test_the_keys_that_ssh_keygen_makes(tmp_path: Path, options: list[str]) -> None:
    line = keygen(tmp_path, *options)
    key = keys.parse(line)
    assert (key.line, key.comment) == (line.strip(), "ada@laptop")
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "id.pub")],
        check=True, timeout=TIMEOUT_S, capture_output=True, text=True,
    )  # fmt: skip
    assert key.fingerprint == listed.stdout.split()[1]


def test_a_security_keys_half_is_one_too() -> None:
    """sk-ssh-ed25519@openssh.com: name, 32 bytes, application (PROTOCOL.u2f)."""
    kind = "sk-ssh-ed25519@openssh.com"
    curve = base64.b64decode(
        "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    )[-32:]
    data = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), curve, b"ssh:"))
    assert keys.parse(f"{kind} {base64.b64encode(data).decode()} yubi").kind == kind


def test_a_private_key_and_a_weak_one_are_refused_by_name(tmp_path: Path) -> None:
    weak = keygen(tmp_path, "-t", "rsa", "-b", "1024")
    with pytest.raises(UserError, match="an RSA key of 1024 bits") as raised:
        keys.parse(weak)
    (tmp_path / "id").unlink()
    # The hint, followed.
    assert raised.value.hint.endswith("ssh-keygen -t ed25519")
    keys.parse(keygen(tmp_path, "-t", "ed25519"))
    with pytest.raises(UserError, match="private key"):
        keys.parse((tmp_path / "id").read_text())


def test_lines_that_are_no_key_or_more_than_one_are_refused(tmp_path: Path) -> None:
    line = keygen(tmp_path, "-t", "ed25519").strip()
    pem = subprocess.run(
        ["ssh-keygen", "-e", "-m", "RFC4716", "-f", str(tmp_path / "id.pub")],
        check=True, timeout=TIMEOUT_S, capture_output=True, text=True,
    )  # fmt: skip
    for text in (
        "", "ssh-ed25519", f"{line}\n{line}", f'command="id" {line}', line.replace("AAAA", "BBBB"),
        line[:40], pem.stdout, "ssh-rsa " + "A" * 20_000,
    ):  # fmt: skip
        with pytest.raises(UserError):
            keys.parse(text)


@given(st.text() | st.binary().map(lambda data: f"ssh-rsa {base64.b64encode(data).decode()} x"))
def test_nothing_else_than_a_refusal_comes_of_nonsense(text: str) -> None:
    with pytest.raises(UserError):
        keys.parse(text)


def test_what_a_keys_scope_lets_it_do() -> None:
    assert keys.refusal(keys.DEFAULT_SCOPE, pushes=True) is None
    assert keys.refusal(("read",), pushes=False) is None
    refused = keys.refusal(("read",), pushes=True)
    assert refused is not None
    assert "needs a key with the scope write-protected; this one has read" in refused.message
    assert refused.hint.endswith("paas keys:add --scope write-protected")
    assert keys.refusal(("metrics",), pushes=False) is not None
