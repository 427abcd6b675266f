"""`git:remote`: the remote of an app in the repository of the current folder."""

from typing import Any

from paas.cli import repository
from paas.cli.call import Call
from paas.cli.command import APP, JSON, Argument, Option, command
from paas.cli.commands.apps import git_url
from paas.cli.output import print_json, print_line
from paas.cli.which import DEFAULT_REMOTE
from paas.client.api import path
from paas.errors import UserError


@command(
    "Adds the git remote of an app to the repository here, so that `git push paas main` deploys.\n"
    "Git then asks `paas` for a token when it needs one: none is stored in the repository.",
    arguments=[Argument("APP", "the app", least=0)],
    options=[
        APP,
        Option("remote", "name of the remote (default: paas)", "NAME", "r"),
        Option("ssh", "over SSH, with a key of `paas keys`"),
        JSON,
    ],
    examples=[
        "paas git:remote -a hello",
        "paas git:remote -a hello-staging -r staging",
        "paas git:remote -a hello --ssh",
    ],
)
def remote(call: Call) -> None:
    if not repository.inside():
        raise UserError(
            "not_found",
            "There is no git repository in this folder.",
            "Make one: git init",
        )
    name = call.options.get("remote", DEFAULT_REMOTE)
    typed = call.arguments[0] if call.arguments else call.options.get("app")
    app = call.client.get(path("apps", typed or call.app))
    url = _ssh_url(app) if "ssh" in call.flags else git_url(call, app["name"])
    repository.set_remote(name, url, call.settings)
    if call.json:
        print_json({"remote": name, "url": url})
    else:
        print_line(f"set git remote {name} to {url}")


def _ssh_url(app: dict[str, Any]) -> str:
    """Raises UserError where git is not served over SSH."""
    url = app.get("ssh_git_url")
    if not url:
        raise UserError(
            "not_found",
            "This platform does not serve git over SSH.",
            "Its operator turns it on: on the server, with ssh_port = 2222 in its configuration\n"
            "file (or PAAS_SSH_PORT=2222), start it again: paas down && paas up -d",
        )
    return str(url)
