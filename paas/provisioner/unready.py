"""Why a web instance is not ready, and what to do, from what the node found in it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from paas.apps.processes import PORT
from paas.node.words import UNHEALTHY

_EVERYWHERE = "Listen on all addresses: server.listen(process.env.PORT) without a host, or 0.0.0.0"
_HINT_PORT = (
    "Listen on the port that the environment variable PORT names: "
    "server.listen(process.env.PORT); in a command of the Procfile it is $PORT"
)
_HINT_HTTP = (
    "Listen with HTTP/1.1 on process.env.PORT (http.createServer): HTTPS is the platform's matter. "
    "What speaks something else belongs on another port, or in a worker"
)
_HINT_HEALTH = (
    "Its log says why: paas logs. The path is that of healthchecks.web in app.json; to have "
    "another one asked: paas routing:set health-path=/"
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
    return bool(found.get("listening") or _unhealthy(found))


def explain(name: str, found: Mapping[str, Any], timeout_s: float) -> tuple[str, str]:
    """A message and a hint. `found` is the machine's `unreachable` (docs/contracts/node.md)."""
    own, where = _own(found), so_far(name, found)
    if where and (own or _unhealthy(found)):
        return f"{where} (for {timeout_s:.0f} s)", _hint(found)
    late = f"{name} did not listen on port {PORT} within {timeout_s:.0f} s"
    return (f"{late}; it {where.removeprefix(f'{name} ')}" if where else late), _HINT_PORT


def so_far(name: str, found: Mapping[str, Any]) -> str | None:
    """What is known of an instance that still starts; None when nothing listens in it."""
    if status := _unhealthy(found):
        return f"{name} answers, but its health check with {status} (2xx and 3xx are healthy)"
    listening, own = _listening(found), _own(found)
    if not own:
        return f"{name} listens on {_in_words(listening)}" if listening else None
    if _is_closed_off(found):
        problem = "where only the instance itself can reach it"
        if not all(_is_loopback(item) for item in own):
            problem = f"but not on its IPv4 address, where it is asked (port {PORT})"
        return f"{name} listens on {_in_words(own)}, {problem}"
    said = _ANSWERS.get(str(found.get("answer")), "gives no HTTP answer")
    return f"{name} listens on {_in_words(own)}, but {said}"


def _unhealthy(found: Mapping[str, Any]) -> str | None:
    """The status with which a health check was answered."""
    answer = str(found.get("answer"))
    return answer.removeprefix(UNHEALTHY) if answer.startswith(UNHEALTHY) else None


def _hint(found: Mapping[str, Any]) -> str:
    if _unhealthy(found):
        return _HINT_HEALTH
    return _EVERYWHERE if _is_closed_off(found) else _HINT_HTTP


def _is_closed_off(found: Mapping[str, Any]) -> bool:
    """Also before it was asked, where the address says so."""
    own, answer = _own(found), found.get("answer")
    return answer == "refused" or (answer is None and all(_is_loopback(item) for item in own))


def _listening(found: Mapping[str, Any]) -> list[str]:
    return [str(item) for item in found.get("listening", ())]


def _own(found: Mapping[str, Any]) -> list[str]:
    return [item for item in _listening(found) if item.endswith(f":{PORT}")]


def _is_loopback(address: str) -> bool:
    return address.startswith(("127.", "[::1]:", "[::ffff:127."))


def _in_words(addresses: Sequence[str]) -> str:
    return " and ".join((", ".join(addresses[:-1]), addresses[-1]) if addresses[1:] else addresses)
