"""`git:remote`: the remote of an app in the repository of the current folder."""

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
    options=[APP, Option("remote", "name of the remote (default: paas)", "NAME", "r"), JSON],
    examples=["paas git:remote -a hello", "paas git:remote -a hello-staging -r staging"],
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
    url = git_url(call, app["name"])
    repository.set_remote(name, url, call.settings)
    if call.json:
        print_json({"remote": name, "url": url})
    else:
        print_line(f"set git remote {name} to {url}")
