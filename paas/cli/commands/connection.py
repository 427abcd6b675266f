"""Commands on the repository elsewhere that an app is deployed from."""

import getpass
import sys
from typing import Any
from urllib.parse import urlsplit

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import hexagon, note, print_json, print_line, progress
from paas.client.api import path

_SETTINGS = {
    "github": "Settings → Webhooks → Add webhook; Content type: application/json; the push event",
    "gitlab": "Settings → Webhooks; the secret as Secret token or Signing token; Push events",
    "gitea": "Settings → Webhooks → Add webhook → Gitea (or Forgejo); POST; Push events",
}


@command(
    "Deploys an app from a repository at GitHub, GitLab, Gitea or Forgejo: prints the address and\n"
    "the secret to enter there, so that each push is told. With a token, which is read from the\n"
    "standard input, private repositories are read and commits get a status.",
    arguments=[Argument("URL", "the https address of the repository")],
    options=[
        Option("branch", "the branch to deploy (default: main)", "NAME"),
        Option("kind", "github, gitlab, gitea or forgejo, where the address does not say", "KIND"),
        Option("token", "ask for a token, or read it from the standard input"),
        APP,
        REMOTE,
        JSON,
    ],
    examples=[
        "paas git:connect https://github.com/owner/hello",
        "paas git:connect https://git.example.com/owner/hello --kind forgejo --branch release",
        "paas git:connect https://gitlab.com/owner/hello --token -a hello < token",
    ],
)
def connect(call: Call) -> None:
    body = {
        "url": call.arguments[0],
        "branch": call.options.get("branch"),
        "kind": call.options.get("kind"),
        "token": _token() if "token" in call.flags else None,
    }
    with progress(f"Connecting {hexagon(call.app)} with {body['url']}"):
        made = call.client.request("PUT", _path(call), body)
    if call.json:
        print_json(made)
        return
    print_line(f"Enter this there ({_SETTINGS[made['kind']]}):")
    print_line(f"  URL     {made['hook_url']}")
    print_line(f"  Secret  {made['secret']}")
    print_line("The secret is not shown again. To deploy what is there already: paas git:deploy")
    host = urlsplit(made["hook_url"]).hostname or ""
    if host.rpartition(".")[2] == "localhost":
        note(
            "Nobody outside reaches localhost: let the operator write a name of this server into "
            "the configuration file, as one of base_domains, or as hooks_url a proxy's address."
        )
    if not made["has_token"]:
        note("Without a token (--token) commits get no status there.")


def _token() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Token: ")
    found = sys.stdin.readline().strip()
    if not found:
        raise usage("git:connect", "There is no token on the standard input.")
    return found


@command(
    "Shows which repository and branch an app is deployed from.",
    options=[APP, REMOTE, JSON],
    examples=["paas git:connection", "paas git:connection -a hello --json"],
)
def connection(call: Call) -> None:
    found = call.client.get(_path(call))
    if call.json:
        print_json(found)
        return
    print_line(f"{hexagon(call.app)} is deployed from {found['branch']} of {found['url']}")
    print_line(f"  URL of its webhook  {found['hook_url']}")
    print_line(f"  Token               {'set' if found['has_token'] else 'none'}")
    print_line(f"  Last commit         {_last(found)}")


def _last(found: dict[str, Any]) -> str:
    return f"{found['commit'][:8]} ({found['outcome']})" if found["commit"] else "none yet"


@command(
    "Deploys the connected branch as it is there now, whatever was deployed last.",
    options=[APP, REMOTE],
    examples=["paas git:deploy", "paas git:deploy -a hello"],
)
def deploy(call: Call) -> None:
    with progress(f"Asking for the branch that {hexagon(call.app)} is deployed from"):
        call.client.post(f"{_path(call)}/actions/deploy")
    print_line("The deploy goes on by itself: paas builds, paas builds:output")


@command(
    "Ends the connection: pushes there deploy nothing any more. What runs, runs on.",
    options=[APP, REMOTE],
    examples=["paas git:disconnect", "paas git:disconnect -a hello"],
)
def disconnect(call: Call) -> None:
    with progress(f"Disconnecting {hexagon(call.app)}"):
        gone = call.client.delete(_path(call))
    print_line(f"Its webhook at {gone['url']} can be deleted.")


def _path(call: Call) -> str:
    return path("apps", call.app, "git-connection")
