"""`git:credentials`: git's credential helper protocol (gitcredentials(7), git-credential(1)).

Git asks with `get`; the answer is a token for the platform of that URL and for no other.
"""

import sys
from collections.abc import Iterable
from urllib.parse import urlsplit

from paas.cli.call import Call
from paas.cli.command import Argument, command
from paas.cli.output import note
from paas.client.api import Client
from paas.client.endpoint import Endpoint, checked_url, may_open
from paas.client.login import Login
from paas.errors import UserError

USER = "paas"
QUESTION_BYTES_MAX = 64 * 1024


@command(
    "A credential helper of git; `paas create` and `paas git:remote` set it up for the remote.\n"
    "On the platform's own host, as root, it asks for a pass that opens\n"
    "git, and nothing else, for an hour.",
    arguments=[Argument("OPERATION", "get, store or erase")],
    examples=["printf 'protocol=http\\nhost=localhost:8081\\n\\n' | paas git:credentials get"],
)
def credentials(call: Call) -> None:
    if call.arguments[0] != "get":
        return
    url = _asked_url(sys.stdin.read(QUESTION_BYTES_MAX).splitlines())
    token = _token(call, url)
    if token:
        print(f"username={USER}\npassword={token}")
    elif url is not None and _is_local(call, url):
        # Git would only ask for a user name, and nobody knows one.
        note(f"You are not logged in to {url}.")
        note(f"Run `paas auth:code` on its server, as root, then here: paas login {url}")


def _asked_url(lines: Iterable[str]) -> str | None:
    """Scheme, host and port that git asks for."""
    question = {key: value for key, _, value in (line.partition("=") for line in lines)}
    if "protocol" not in question or "host" not in question:
        return None
    try:
        return checked_url(f"{question['protocol']}://{question['host']}")
    except UserError:
        return None


def _token(call: Call, url: str | None) -> str | None:
    """The token for this URL: of CI, of the login file, or a pass of this host's platform."""
    if url is None:
        return None
    here = f"http://localhost:{call.settings.control_port}"
    api = call.environment.get("PAAS_API")
    given = call.environment.get("PAAS_TOKEN")
    if given and url == (checked_url(api) if api else here):
        return given
    named = call.environment.get("PAAS_INSTALLATION")
    known = Login.load(call.environment).token(url)
    if known and not (named and url == here):
        return known
    if _is_local(call, url) and may_open(call.settings.control_socket):
        return _pass(Endpoint(here, unix=call.settings.control_socket))
    return known


def _is_local(call: Call, url: str) -> bool:
    hosts = ("localhost", "127.0.0.1", "[::1]")
    return urlsplit(url).netloc in {f"{host}:{call.settings.control_port}" for host in hosts}


def _pass(endpoint: Endpoint) -> str:
    """It opens git only, and nothing of it stays behind."""
    return str(Client(endpoint).post("/smartplatform/git-passes", timeout_s=10)["pass"])
