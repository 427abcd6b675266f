"""Who you are: login with a single-use code, tokens for CI.

The requests are Heroku's OAuth ones: an authorization with a `grant` is a single-use code, and
`POST /oauth/tokens` changes it for a token.
"""

import platform
import sys
from datetime import UTC, datetime
from typing import Any

from paas.apps import scopes
from paas.cli.call import Call, usage
from paas.cli.command import JSON, Argument, Option, command
from paas.cli.output import (
    note,
    parsed_time,
    print_columns,
    print_json,
    print_line,
    progress,
    span,
    when,
)
from paas.client.api import Client, path
from paas.client.endpoint import Endpoint, checked_url
from paas.client.login import Login
from paas.errors import UserError

CODE_LIFE_S = 600
SCOPES = (
    "Scopes, as Heroku has them, with commas between: global (everything), identity (who you\n"
    "are), read and write (apps, but not their config vars and releases), read-protected and\n"
    "write-protected (those too, and pushes), metrics (the figures for Prometheus)."
)
SCOPE = Option("scope", "what it may do (default: global)", "SCOPE,…", "s")
CODE_BYTES_MAX = 1024
SECRET_BYTES_MAX = 4096


@command(
    "Logs in to a platform: with e-mail address and password, or with a single-use code, which an\n"
    "invitation holds and `paas auth:code` prints. They are asked for, or read from standard\n"
    "input: the code, or the address and below it the password. The token is kept in\n"
    "~/.config/smartplatform/login.json, readable by you only.\n\n"
    "From another machine, first forward the port: ssh -L 8081:localhost:8081 root@SERVER",
    arguments=[Argument("URL", "the platform (default: http://localhost:8081)", least=0)],
    examples=["paas login http://localhost:8081", "ssh root@SERVER paas auth:code | paas login"],
)
def login(call: Call) -> None:
    default = f"http://localhost:{call.settings.control_port}"
    url = checked_url(call.arguments[0] if call.arguments else default)
    typed = _typed_code(url)
    password = prompted("login", "Password") if "@" in typed else ""
    with progress(f"Logging in to {url}") as state:
        body: dict[str, Any] = {"description": f"login on {platform.node()}"}
        if password:
            client = Client(Endpoint(url), (typed, password))
            answer = client.post("/oauth/authorizations", body, timeout_s=30)
        else:
            body["grant"] = {"type": "authorization_code", "code": typed}
            answer = Client(Endpoint(url)).post("/oauth/tokens", body, timeout_s=30)
        token = str(answer["access_token"]["token"])
        account = Client(Endpoint(url, token=token)).get("/account")
        Login.load(call.environment).with_token(url, token).save()
        state.result = f"you are {account['email']}"


def _typed_code(url: str) -> str:
    if sys.stdin is None:
        raise usage("login", "Standard input is closed: there is no code.")
    if sys.stdin.isatty():
        note(f"Your e-mail address, or a code: `paas auth:code` on the server of {url} makes one.")
        print("E-mail or code: ", end="", file=sys.stderr, flush=True)
    code = sys.stdin.readline(CODE_BYTES_MAX).strip()
    if not code:
        raise usage("login", "There was no code.")
    return code


def prompted(name: str, what: str) -> str:
    """A secret, from the terminal without an echo, or a line of standard input; never a word of
    the command line, where everybody sees it. Raises UserError for none."""
    if sys.stdin is None:
        raise usage(name, f"Standard input is closed: there is no {what.lower()}.")
    if sys.stdin.isatty():
        from getpass import getpass

        typed = getpass(f"{what}: ")
    else:
        typed = sys.stdin.readline(SECRET_BYTES_MAX).rstrip("\r\n")
    if not typed:
        raise usage(name, f"There was no {what.lower()}.")
    return typed


@command(
    "Sets or changes your password. The old one, if there is one, and the new one are asked for,\n"
    "or read from standard input, a line each. Tokens stay valid:\n"
    "`paas logout --everywhere` ends them.",
    options=[Option("first", "there is no old password: yet, or on the platform's own host")],
    examples=["paas auth:password", "paas auth:password --first"],
)
def password(call: Call) -> None:
    body = {}
    if "first" not in call.flags:
        body["password"] = prompted("auth:password", "Old password")
    body["new_password"] = new_password("auth:password")
    with progress("Changing the password"):
        call.client.patch("/account", body)


def new_password(name: str) -> str:
    """Typed twice at a terminal."""
    typed = prompted(name, "New password")
    if sys.stdin.isatty() and prompted(name, "Once more") != typed:
        raise usage(name, "These were two different passwords.")
    return typed


@command(
    "Forgets the token of a platform; on the platform itself it becomes invalid as well.\n"
    "With --everywhere all your tokens and codes do, also those of CI; SSH keys stay.",
    arguments=[Argument("URL", "the platform (default: the one you use)", least=0)],
    options=[Option("everywhere", "end all your tokens")],
    examples=["paas logout", "paas logout --everywhere"],
)
def logout(call: Call) -> None:
    if "everywhere" in call.flags:
        _log_out_everywhere(call)
        return
    known = Login.load(call.environment)
    url = checked_url(call.arguments[0]) if call.arguments else known.current
    token = known.token(url) if url else None
    if url is None or token is None:
        note("You are not logged in.")
        return
    known.without(url).save()
    with progress(f"Logging out of {url}"):
        Client(Endpoint(url, token=token)).delete("/oauth/authorizations/~", timeout_s=10)


def _log_out_everywhere(call: Call) -> None:
    if call.arguments:
        raise usage("logout", "--everywhere ends the tokens of the platform that you use.")
    with progress("Logging out everywhere") as state:
        count = call.client.post("/account/actions/log-out")["tokens"]
        state.result = f"{count} token{'' if count == 1 else 's'} ended"
    known = Login.load(call.environment)
    if known.current == call.client.endpoint.url:
        known.without(known.current).save()


@command("Shows who you are, and on which platform.", options=[JSON], examples=["paas whoami"])
def whoami(call: Call) -> None:
    account = call.client.get("/account")
    if call.json:
        print_json({"email": account["email"], "url": call.client.endpoint.url})
    else:
        print_line(account["email"])


@command(
    "Prints a code with which somebody logs in once, within ten minutes, as you.\n"
    f"With --scope the login may do that only. {SCOPES}",
    options=[SCOPE, JSON],
    examples=["paas auth:code", "paas auth:code --scope read"],
)
def code(call: Call) -> None:
    body = {
        "description": "single-use code of paas auth:code",
        "client": "paas",
        "expires_in": CODE_LIFE_S,
        "scope": _scope(call),
    }
    grant = call.client.post("/oauth/authorizations", body)["grant"]
    if call.json:
        print_json({"code": grant["code"], "expires_in": grant.get("expires_in", CODE_LIFE_S)})
        return
    print_line(grant["code"])
    note(f"Use it within ten minutes: paas login {call.client.endpoint.url}")


@command(
    "Makes a token and prints it: for CI, in the variable PAAS_TOKEN. It is shown only once.\n"
    "Give it no more than it needs: CI that pushes needs write-protected, Prometheus metrics.\n\n"
    f"{SCOPES}",
    options=[
        Option("description", "what it is for", "TEXT", "d"),
        SCOPE,
        Option("app", "for this app only; may be repeated", "APP", "a", repeated=True),
        Option("expires-in", "seconds until it becomes invalid (default: never)", "SECONDS", "e"),
        JSON,
    ],
    examples=[
        "paas auth:token -d 'CI of hello' -a hello --scope write-protected -e 2592000",
        "paas auth:token -d Prometheus --scope metrics",
    ],
)
def token(call: Call) -> None:
    body: dict[str, object] = {
        "description": call.options.get("description", f"made on {platform.node()}"),
        "scope": _scope(call),
    }
    if call.repeated.get("app"):
        body["apps"] = list(call.repeated["app"])
    if "expires-in" in call.options:
        body["expires_in"] = call.number("expires-in", 0, least=1, most=10 * 365 * 86400)
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
        titles = ["ID", "Description", "Scope", "Created", "Last used", "Expires"]
        rows = [_row(one) for one in found]
        if any(one.get("apps") for one in found):
            names = {app["id"]: app["name"] for app in call.client.get("/apps")}
            titles.append("Apps")
            rows = [[*row, _apps(one, names)] for row, one in zip(rows, found, strict=True)]
        print_columns(rows, titles)


def _apps(one: dict[str, Any], names: dict[str, str]) -> str:
    """One that was destroyed has no name any more."""
    if not one.get("apps"):
        return "all"
    return ", ".join(names.get(app, "(destroyed)") for app in one["apps"])


def _row(one: dict[str, Any]) -> list[str]:
    used = when(one.get("last_used_at")) or "never"
    scope = ",".join(one.get("scope") or ["global"])
    description = str(one.get("description") or "")
    return [one["id"], description, scope, when(one["created_at"]), used, _expiry(one)]


def _expiry(one: dict[str, Any]) -> str:
    ends = parsed_time(one.get("expires_at"))
    return f"in {span((ends - datetime.now(UTC)).total_seconds())}" if ends else "never"


@command(
    "Makes a token invalid, at once.",
    arguments=[Argument("TOKEN", "its id, the beginning of that, or its description")],
    options=[JSON],
    examples=["paas auth:tokens:revoke 1f2e3d4c", "paas auth:tokens:revoke 'CI of hello'"],
)
def revoke(call: Call) -> None:
    chosen = _chosen(call.client.get("/oauth/authorizations"), call.arguments[0])
    with progress(f"Revoking {_named(chosen)}"):
        call.client.delete(path("oauth", "authorizations", chosen["id"]))
    if call.json:
        print_json({"id": chosen["id"]})


@command(
    "Gives a token a new secret and prints it; who has the old one is locked out at once.",
    arguments=[Argument("TOKEN", "its id, the beginning of that, or its description")],
    options=[JSON],
    examples=["paas auth:tokens:rotate 'CI of hello'"],
)
def rotate(call: Call) -> None:
    chosen = _chosen(call.client.get("/oauth/authorizations"), call.arguments[0])
    place = path("oauth", "authorizations", chosen["id"], "actions", "regenerate-tokens")
    answer = call.client.post(place)
    if call.json:
        print_json(answer)
    else:
        print_line(answer["access_token"]["token"])


def _chosen(found: list[dict[str, Any]], typed: str) -> dict[str, Any]:
    """The one that is meant. Raises UserError for none, and for several."""
    matching = [one for one in found if typed and typed in (one["id"], one.get("description"))]
    matching = matching or [one for one in found if typed and one["id"].startswith(typed)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = "\n".join(_named(one) for one in matching)
        hint = f"Name one by its id:\n{names}"
        raise UserError("usage", f"{typed!r} means several tokens.", hint)
    raise UserError("not_found", f"There is no token {typed!r}.", "`paas auth:tokens` lists them.")


def _named(one: dict[str, Any]) -> str:
    return f"{one['id']} ({one['description']})" if one.get("description") else str(one["id"])


def _scope(call: Call) -> list[str]:
    return list(scopes.check(call.options.get("scope")))
