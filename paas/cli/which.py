"""Which app a command is about, when neither `-a` nor `PAAS_APP` says it."""

import re
from collections.abc import Callable

from paas.client.api import Client
from paas.errors import UserError

DEFAULT_REMOTE = "paas"


def app_name(remote: str | None, client: Callable[[], Client]) -> str:
    """That of a git remote of this folder (which must be there if it is named), or of the only app
    at the platform that `client` gives. Raises UserError.
    """
    from paas.cli.repository import remote_url

    url = remote_url(remote or DEFAULT_REMOTE)
    if url is not None and (name := name_in(url)):
        return name
    if remote:
        raise UserError(
            "not_found",
            f"There is no git remote {remote!r} of an app in this folder.",
            "Name the app with -a APP, or add the remote with `paas git:remote -a APP`.",
        )
    return _only_app(client())


def name_in(url: str) -> str | None:
    """The app's name in the URL of a git remote: `http://localhost:8081/hello.git` → `hello`."""
    match = re.fullmatch(r"https?://[^/]+/([a-z][a-z0-9-]*)(\.git)?/?", url)
    return match[1] if match else None


def _only_app(client: Client) -> str:
    names = [str(app["name"]) for app in client.get("/apps")]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError("not_found", "You have no app yet.", "Create one: paas create")
    raise UserError(
        "usage",
        "Which app?",
        f"Name it with -a: {', '.join(sorted(names)[:20])}\n"
        "or run the command in a repository that has the app's git remote.",
    )
