"""Which app a command is about, when `-a` does not say it."""

import re

from paas.cli.call import Call
from paas.client.api import Client
from paas.errors import UserError

DEFAULT_REMOTE = "paas"


def app_name(call: Call) -> str:
    """`-a`, `PAAS_APP`, the git remote of this folder, or the only app. Raises UserError."""
    named = call.options.get("app") or call.environment.get("PAAS_APP")
    if named:
        return named
    from paas.cli.repository import remote_url

    remote = call.options.get("remote")
    url = remote_url(remote or DEFAULT_REMOTE)
    if url is not None and (name := name_in(url)):
        return name
    if remote:
        raise UserError(
            "not_found",
            f"There is no git remote {remote!r} of an app in this folder.",
            "Name the app with -a APP, or add the remote with `paas git:remote -a APP`.",
            exit_code=3,
        )
    return _only_app(call.client)


def name_in(url: str) -> str | None:
    """The app's name in the URL of a git remote: `http://localhost:8081/hello.git` → `hello`."""
    match = re.fullmatch(r"https?://[^/]+/([a-z][a-z0-9-]*)(\.git)?/?", url)
    return match[1] if match else None


def _only_app(client: Client) -> str:
    names = [str(app["name"]) for app in client.get("/apps")]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError("not_found", "You have no app yet.", "Create one: paas create", exit_code=3)
    raise UserError(
        "usage",
        "Which app?",
        f"Name it with -a: {', '.join(sorted(names)[:20])}\n"
        "or run the command in a repository that has the app's git remote.",
        exit_code=2,
    )
