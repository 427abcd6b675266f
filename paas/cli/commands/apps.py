"""Commands on apps: create, list, show, open, destroy."""

import re
import shutil
import subprocess
import sys
from typing import Any

from paas.cli import repository
from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    header,
    hexagon,
    note,
    print_json,
    print_line,
    print_pairs,
    progress,
    when,
)
from paas.cli.which import DEFAULT_REMOTE
from paas.client.api import path
from paas.errors import UserError

OPEN_TIMEOUT_S = 10.0


@command(
    "Creates an app. In a git repository it also adds the remote `paas`, so that\n"
    "`git push paas main` deploys; a remote `paas` that leads elsewhere stays.\n"
    "Without a name the platform chooses one.",
    arguments=[Argument("NAME", "lower-case letters, digits and dashes", least=0)],
    options=[
        Option("remote", "name of the git remote (default: paas)", "NAME", "r"),
        Option("no-remote", "add no git remote", short="n"),
        Option("root", "the app's folder in the repository (default: all of it)", "FOLDER"),
        JSON,
    ],
    examples=[
        "paas create",
        "paas create hello",
        "paas create hello-staging --remote staging",
        "paas create hello-api --root services/api --remote api",
    ],
)
def create(call: Call) -> None:
    name = call.arguments[0] if call.arguments else None
    with progress(f"Creating {hexagon(name) if name else 'app'}") as state:
        given = {"name": name, "root": call.options.get("root")}
        app = call.client.post("/apps", {key: text for key, text in given.items() if text})
        state.result = "" if name else hexagon(app["name"])
    url = git_url(call, app["name"])
    if "no-remote" not in call.flags and repository.inside():
        _add_remote(call, app["name"], url)
    if call.json:
        print_json(app)
    else:
        print_line(f"{app['web_url']} | {url}")


def _add_remote(call: Call, app: str, url: str) -> None:
    """A remote that leads elsewhere stays: no `git push` goes to another app unseen."""
    name = call.options.get("remote", DEFAULT_REMOTE)
    taken = repository.remote_url(name)
    if taken is None or taken == url:
        repository.set_remote(name, url, call.settings)
        return
    note(f"The git remote {name} leads to {_without_secrets(taken)} and stays so.")
    note(f"To push to {hexagon(app)}: paas git:remote -a {app}, or with -r NAME beside it")


def _without_secrets(url: str) -> str:
    return re.sub("//[^/]*@", "//", url)


def git_url(call: Call, app: str) -> str:
    """The repository's URL at the API's root, as this user reaches it."""
    return f"{call.client.endpoint.url}/{app}.git"


@command(
    "Lists your apps.", options=[JSON], examples=["paas apps", "paas apps --json | jq -r .[].name"]
)
def apps(call: Call) -> None:
    found: list[dict[str, Any]] = sorted(call.client.get("/apps"), key=lambda app: str(app["name"]))
    if call.json:
        print_json(found)
    elif not found:
        note("You have no apps. Create one: paas create")
    else:
        header("Apps")
        for app in found:
            print_line(app["name"] + (" (maintenance)" if app.get("maintenance") else ""))


@command(
    "Shows an app.",
    arguments=[Argument("APP", "the app", least=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas info", "paas info -a hello --json"],
)
def info(call: Call) -> None:
    name = call.arguments[0] if call.arguments else call.app
    app = call.client.get(path("apps", name))
    dynos = call.client.get(path("apps", name, "dynos"))
    if call.json:
        print_json({"app": app, "dynos": dynos})
        return
    types = sorted({str(dyno["type"]) for dyno in dynos})
    counts = [f"{kind}: {sum(dyno['type'] == kind for dyno in dynos)}" for kind in types]
    header(hexagon(app["name"]))
    pairs = {
        "Created": when(app.get("created_at")),
        "Dynos": ", ".join(counts) or "none",
        "Git URL": git_url(call, app["name"]),
        "Maintenance": "on" if app.get("maintenance") else "off",
        "Owner": (app.get("owner") or {}).get("email", ""),
        "Root": app.get("root") or "",
        "Deployed": app.get("deploy_branch") or "",
        "Repo Size": _size(app.get("repo_size")),
        "Image Size": _size(app.get("slug_size")),
        "Runtime": app.get("buildpack_provided_description") or "",
        "Stack": (app.get("stack") or {}).get("name", ""),
        "Web URL": app.get("web_url") or "",
    }
    print_pairs({key: value for key, value in pairs.items() if value})


def _size(count: int | None) -> str:
    if not count:
        return ""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


@command(
    "Changes what an app is made of, from its next push on. `--root` names the folder of\n"
    "the repository that the app is in: it is built and started there, with the lock file of\n"
    "its workspaces if it is one of several. `/` is all of the repository. `--branch` names\n"
    "the branch that is deployed when it is pushed, instead of main and master; others are\n"
    "only stored. `-` means main and master again. `--supersede on` lets a newer push take\n"
    "the place of those that wait for one that runs.",
    options=[
        Option("branch", "the branch that is deployed", "BRANCH", "b"),
        Option("root", "the app's folder in the repository", "FOLDER"),
        Option("supersede", "whether a newer push replaces waiting ones", "on|off"),
        APP,
        REMOTE,
        JSON,
    ],
    examples=[
        "paas apps:set --root services/api",
        "paas apps:set --root / -a hello",
        "paas apps:set --branch release",
        "paas apps:set --branch -",
        "paas apps:set --supersede on",
    ],
)
def set_app(call: Call) -> None:
    changes: dict[str, Any] = {}
    if "root" in call.options:
        changes["root"] = call.options["root"]
    if "branch" in call.options:
        branch = call.options["branch"]
        changes["deploy_branch"] = "" if branch == "-" else branch
    if "supersede" in call.options:
        changes["supersede"] = _switch(call, "supersede")
    if not changes:
        raise UserError(
            "usage", "There is nothing to set.", "Say --root services/api or --branch release"
        )
    what = {"root": "root", "deploy_branch": "branch", "supersede": "superseding"}
    named = " and ".join(what[key] for key in changes)
    with progress(f"Setting the {named} of {hexagon(call.app)}") as state:
        app = call.client.patch(path("apps", call.app), changes)
        shown = {
            "root": app.get("root") or "/",
            "deploy_branch": _branch(app),
            "supersede": "on" if app.get("supersede") else "off",
        }
        state.result = ", ".join(shown[key] for key in changes)
    if call.json:
        print_json(app)
    else:
        note(f"It counts from the next push on. For what is pushed: {_rebuild(call.app)}")


def _switch(call: Call, name: str) -> bool:
    typed = call.options[name]
    if typed not in ("on", "off"):
        raise usage(call.command, f"--{name} is on or off, not {typed!r}.")
    return typed == "on"


def _branch(app: dict[str, Any]) -> str:
    return str(app.get("deploy_branch") or "main and master")


def _rebuild(app: str) -> str:
    return f"paas builds:create -a {app}"


@command(
    "Opens an app in the browser. Where there is no display, or stdout is no terminal,\n"
    "it prints the URL.",
    arguments=[Argument("PATH", "a path in the app", least=0)],
    options=[APP, REMOTE],
    examples=["paas open", "paas open /about -a hello", "curl $(paas open -a hello)"],
)
def open_app(call: Call) -> None:
    url = call.client.get(path("apps", call.app))["web_url"]
    if url is None:
        raise UserError(
            "no_web_process",
            f"{call.app} has no web process, so there is nothing to open.",
            f"What it runs: paas ps -a {call.app}",
        )
    if call.arguments:
        url = url.rstrip("/") + "/" + call.arguments[0].lstrip("/")
    opener = _opener(call) if url.startswith(("http://", "https://")) else None
    if opener is None:
        print_line(url)
        return
    with progress(f"Opening {hexagon(call.app)}"):
        subprocess.run([opener, url], check=True, timeout=OPEN_TIMEOUT_S, capture_output=True)


def _opener(call: Call) -> str | None:
    if not sys.stdout.isatty():
        return None
    if sys.platform == "darwin":
        return shutil.which("open")
    display = call.environment.get("DISPLAY") or call.environment.get("WAYLAND_DISPLAY")
    return shutil.which("xdg-open") if display else None


@command(
    "Deletes an app: its instances, releases, images, config vars, logs and repository.\n"
    "There is no way back. Asks for the app's name, unless --confirm gives it.",
    arguments=[Argument("APP", "the app", least=0)],
    options=[
        APP,
        REMOTE,
        Option("confirm", "the app's name again; then nothing is asked", "NAME", "c"),
        JSON,
    ],
    examples=["paas destroy -a hello --confirm hello"],
)
def destroy(call: Call) -> None:
    given = call.options.get("confirm")
    name = call.arguments[0] if call.arguments else call.options.get("app") or given or call.app
    app = call.client.get(path("apps", name))
    confirm(app["name"], given, f"This deletes {hexagon(app['name'])} with all its data.")
    with progress(f"Destroying {hexagon(app['name'])}"):
        call.client.delete(path("apps", app["name"]))
    url = git_url(call, app["name"])
    for remote in repository.remotes_of(url):
        repository.remove_remote(remote, url)
    if call.json:
        print_json(app)


def confirm(name: str, given: str | None, warning: str) -> None:
    """Raises UserError unless the user repeated the name, by option or at the terminal."""
    if given is None and sys.stdin is not None and sys.stdin.isatty():
        note(warning)
        print(f"Type {name} to go on: ", end="", file=sys.stderr, flush=True)
        given = sys.stdin.readline().strip()
    if given == name:
        return
    wrong = f"{given!r} is not {name!r}. " if given else ""
    raise UserError(
        "usage",
        f"{wrong}{warning}",
        f"If you want that, add --confirm {name}.",
    )
