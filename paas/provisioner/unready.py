"""Why a web instance is not ready, and what to do, from what the node found in it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from paas.provisioner.payload import PORT

_EVERYWHERE = "Listen on all addresses: server.listen(process.env.PORT) without a host, or 0.0.0.0"
_HINT_PORT = (
    "Listen on the port that the environment variable PORT names: "
    "server.listen(process.env.PORT); in a command of the Procfile it is $PORT"
)
_HINT_HTTP = (
    "Listen with HTTP/1.1 on process.env.PORT (http.createServer): HTTPS is the platform's matter. "
    "What speaks something else belongs on another port, or in a worker"
)
_ANSWERS = {
    "silent": "takes a request and does not answer it",
    "closed": "closes the connection without an answer",
    "tls": "speaks TLS",
    "http2": "speaks HTTP/2 only",
    "other": "answers a request with something that is not HTTP",
}


def is_known(found: Mapping[str, Any]) -> bool:
    """Whether what listens says more than the app's own output could."""
    return bool(found.get("listening"))


def explain(name: str, found: Mapping[str, Any], timeout_s: float) -> tuple[str, str]:
    """A message and a hint. `found` is the machine's `unreachable` (ARCHITECTURE.md)."""
    listening = [str(item) for item in found.get("listening", ())]
    where, answer = _in_words(listening), found.get("answer")
    late = f"{name} did not listen on port {PORT} within {timeout_s:.0f} s"
    if not listening:
        return late, _HINT_PORT
    own = [item for item in listening if item.endswith(f":{PORT}")]
    if not own:
        return f"{late}; it listens on {where}", _HINT_PORT
    if answer in (None, "refused"):
        problem = "where only the instance itself can reach it"
        if not all(_is_loopback(item) for item in own):
            problem = f"but not on its IPv4 address, where it is asked (port {PORT})"
        return f"{name} listens on {_in_words(own)}, {problem}", _EVERYWHERE
    said = _ANSWERS.get(str(answer), "gives no HTTP answer")
    waited = f" for {timeout_s:.0f} s" if answer == "silent" else ""
    return f"{name} listens on {_in_words(own)}, but {said}{waited}", _HINT_HTTP


def _is_loopback(address: str) -> bool:
    return address.startswith(("127.", "[::1]:", "[::ffff:127."))


def _in_words(addresses: Sequence[str]) -> str:
    return " and ".join((", ".join(addresses[:-1]), addresses[-1]) if addresses[1:] else addresses)
