"""Who you are: login with a single-use code, tokens for CI.

The requests are Heroku's OAuth ones: an authorization with a `grant` is a single-use code, and
`POST /oauth/tokens` changes it for a token.
"""

import platform
import sys

from paas.cli.call import JSON, Argument, Call, Option, command, usage
from paas.cli.output import (
    note,
    print_columns,
    print_json,
    print_line,
    print_pairs,
    progress,
    when,
)
from paas.client import Client, path
from paas.endpoint import Endpoint, checked_url
from paas.login import Login

CODE_LIFE_S = 600
CODE_BYTES_MAX = 1024


@command(
    "Logs in to a platform with the single-use code that `paas auth:code` prints on its server.\n"
    "The code is asked for, or read from standard input. The token is kept in\n"
    "~/.config/smartplatform/login.json, readable by you only.\n\n"
    "From another machine, first forward the port: ssh -L 8081:localhost:8081 root@SERVER",
    arguments=[Argument("URL", "the platform (default: http://localhost:8081)", least=0)],
    examples=["paas login http://localhost:8081", "ssh root@SERVER paas auth:code | paas login"],
)
def login(call: Call) -> None:
    default = f"http://localhost:{call.settings.control_port}"
    url = checked_url(call.arguments[0] if call.arguments else default)
    grant = {"type": "authorization_code", "code": _typed_code(url)}
    with progress(f"Logging in to {url}") as state:
        body = {"grant": grant, "description": f"login on {platform.node()}"}
        answer = Client(Endpoint(url)).post("/oauth/tokens", body, timeout_s=30)
        token = str(answer["access_token"]["token"])
        account = Client(Endpoint(url, token=token)).get("/account")
        Login.load(call.environment).with_token(url, token).save()
        state.result = f"you are {account['email']}"


def _typed_code(url: str) -> str:
    if sys.stdin is None:
        raise usage("login", "Standard input is closed: there is no code.")
    if sys.stdin.isatty():
        note(f"Run `paas auth:code` on the server of {url}.")
        print("Code: ", end="", file=sys.stderr, flush=True)
    code = sys.stdin.readline(CODE_BYTES_MAX).strip()
    if not code:
        raise usage("login", "There was no code.")
    return code


@command(
    "Forgets the token of a platform; on the platform itself it becomes invalid as well.",
    arguments=[Argument("URL", "the platform (default: the one you use)", least=0)],
    examples=["paas logout"],
)
def logout(call: Call) -> None:
    known = Login.load(call.environment)
    url = checked_url(call.arguments[0]) if call.arguments else known.current
    token = known.token(url) if url else None
    if url is None or token is None:
        note("You are not logged in.")
        return
    known.without(url).save()
    with progress(f"Logging out of {url}"):
        Client(Endpoint(url, token=token)).delete("/oauth/authorizations/~", timeout_s=10)


@command("Shows who you are, and on which platform.", options=[JSON], examples=["paas whoami"])
def whoami(call: Call) -> None:
    account = call.client.get("/account")
    if call.json:
        print_json({"email": account["email"], "url": call.client.endpoint.url})
    else:
        print_line(account["email"])


@command(
    "Prints a code with which somebody logs in once, within ten minutes, as you.",
    options=[JSON],
    examples=["paas auth:code"],
)
def code(call: Call) -> None:
    body = {
        "description": "single-use code of paas auth:code",
        "client": "paas",
        "expires_in": CODE_LIFE_S,
    }
    grant = call.client.post("/oauth/authorizations", body)["grant"]
    if call.json:
        print_json({"code": grant["code"], "expires_in": grant.get("expires_in", CODE_LIFE_S)})
        return
    print_line(grant["code"])
    note(f"Use it within ten minutes: paas login {call.client.endpoint.url}")


@command(
    "Makes a token and prints it: for CI, in the variable PAAS_TOKEN. It is shown only once.",
    options=[
        Option("description", "what it is for", "TEXT", "d"),
        Option("expires-in", "seconds until it becomes invalid (default: never)", "SECONDS", "e"),
        JSON,
    ],
    examples=["paas auth:token -d 'CI of hello' -e 2592000"],
)
def token(call: Call) -> None:
    body: dict[str, object] = {
        "description": call.options.get("description", f"made on {platform.node()}"),
        "scope": ["global"],
    }
    if "expires-in" in call.options:
        body["expires_in"] = call.number("expires-in", 0, most=10 * 365 * 86400)
    answer = call.client.post("/oauth/authorizations", body)
    if call.json:
        print_json(answer)
    else:
        print_line(answer["access_token"]["token"])


@command("Lists tokens, without their secrets.", options=[JSON], examples=["paas auth:tokens"])
def tokens(call: Call) -> None:
    found = call.client.get("/oauth/authorizations")
    if call.json:
        print_json([{**one, "access_token": None, "grant": None} for one in found])
    elif not found:
        note("There are no tokens.")
    else:
        rows = [[one["id"], one.get("description") or "", when(one["created_at"])] for one in found]
        print_columns(rows, ["ID", "Description", "Created"])


@command(
    "Makes a token invalid, at once.",
    arguments=[Argument("ID", "as `paas auth:tokens` shows it")],
    options=[JSON],
    examples=["paas auth:tokens:revoke 1f2e3d4c-…"],
)
def revoke(call: Call) -> None:
    with progress("Revoking the token"):
        answer = call.client.delete(path("oauth", "authorizations", call.arguments[0]))
    if call.json:
        print_pairs({"id": (answer or {}).get("id", call.arguments[0])})
