"""Answers git's question for a password where root pushes on the platform's own host.

A developer waits for it at every push, so it is a program of its own, which git's helper starts
(`paas.cli.repository`) without what `paas` loads: it takes nothing of the standard library but what
Python has loaded anyway. Whatever is not plain it leaves to `paas git:credentials`, which gets the
same question.
"""

import os
import sys

_QUESTION_BYTES_MAX = 32 * 1024
"""A pipe holds as much."""
_ANSWER_BYTES_MAX = 64 * 1024
_TIMEOUT_S = 10.0
_REQUEST = (
    b"POST /smartplatform/git-passes HTTP/1.1\r\n"
    b"Host: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
_OTHERS = ("PAAS_API", "PAAS_TOKEN")
"""Variables that name another platform, or another token."""


def main(arguments: list[str]) -> None:
    """`arguments`: the command `paas`, the platform's address, its socket, its installation."""
    program, url, control_socket, installation = arguments
    question = _read(0, _QUESTION_BYTES_MAX)
    if _is_plain(question, url, installation):
        word = _pass(control_socket)
        if word:
            os.write(1, f"username=paas\npassword={word}\n".encode())
            return
    reading, writing = os.pipe()
    os.write(writing, question)
    os.close(writing)
    os.dup2(reading, 0)
    os.execv(program, [program, "git:credentials", "get"])


def _is_plain(question: bytes, url: str, installation: str) -> bool:
    asked = dict(line.split("=", 1) for line in question.decode().splitlines() if "=" in line)
    named = os.environ.get("PAAS_INSTALLATION")
    return (
        f"{asked.get('protocol')}://{asked.get('host')}" == url
        and not any(os.environ.get(name) for name in _OTHERS)
        and named in (None, "", installation)
        and not _has_logged_in()
    )


def _has_logged_in() -> bool:
    """Then the login file may have a token for it (`paas.client.login`)."""
    home = os.environ.get("HOME", "")
    folder = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return not home or os.access(f"{folder}/smartplatform/login.json", os.F_OK)


def _pass(control_socket: str) -> str:
    """Empty when nobody gives one: why is for `paas` to say."""
    import _socket

    with_socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    with_socket.settimeout(_TIMEOUT_S)
    try:
        with_socket.connect(control_socket)
        with_socket.send(_REQUEST)
        answer = b""
        while len(answer) < _ANSWER_BYTES_MAX and (chunk := with_socket.recv(4096)):
            answer += chunk
    except OSError:
        return ""
    finally:
        with_socket.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 201 " not in head.partition(b"\r\n")[0]:
        return ""
    word = body.partition(b'"pass":')[2].partition(b'"')[2].partition(b'"')[0].decode()
    return word if word.replace("_", "").isalnum() and word.isascii() else ""


def _read(descriptor: int, most: int) -> bytes:
    read = b""
    while len(read) < most and (chunk := os.read(descriptor, most - len(read))):
        read += chunk
    return read


if __name__ == "__main__":
    main(sys.argv[1:])
