"""Commands on buildpacks: which ones build an app, and in which order."""

import re

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import header, hexagon, print_json, print_line, progress
from paas.client.api import path
from paas.errors import NotFound

MOST = 20
BUILDPACK = Argument(
    "BUILDPACK", "the https address of a git repository (#branch) or .tgz, ./folder, heroku/nodejs"
)
INDEX = Option("index", "its place in the order, from 1", "N", "i")


@command(
    "Lists the buildpacks that build an app, in the order in which they run. An app that names\n"
    "none is built by the platform's own: heroku/nodejs.",
    options=[APP, REMOTE, JSON],
    examples=["paas buildpacks", "paas buildpacks -a hello --json"],
)
def buildpacks(call: Call) -> None:
    found = _names(call)
    if call.json:
        print_json(found)
        return
    if not found:
        print_line(f"{hexagon(call.app)} names no buildpacks: the platform's own builds it.")
        return
    header(f"{hexagon(call.app)} Buildpack{'s' if len(found) > 1 else ''}")
    _print(found)


@command(
    "Adds a buildpack, at the end or at a place of the order. It runs from the next push on.",
    arguments=[BUILDPACK],
    options=[INDEX, APP, REMOTE],
    examples=[
        "paas buildpacks:add heroku/nodejs",
        "paas buildpacks:add -i 1 https://github.com/heroku/heroku-buildpack-apt",
        "paas buildpacks:add ./buildpacks/fonts -a hello",
    ],
)
def add(call: Call) -> None:
    found = _names(call)
    at = min(call.number("index", len(found) + 1, most=MOST), len(found) + 1)
    found.insert(at - 1, call.arguments[0])
    _put(call, found, f"Adding {_shown(call.arguments[0])} to")


@command(
    "Puts a buildpack in the place of the first, or of the one at a place of the order.",
    arguments=[BUILDPACK],
    options=[INDEX, APP, REMOTE],
    examples=[
        "paas buildpacks:set https://github.com/heroku/heroku-buildpack-python",
        "paas buildpacks:set -i 2 https://github.com/owner/heroku-buildpack-name#v1.2",
    ],
)
def set_buildpack(call: Call) -> None:
    found = _names(call)
    at = min(call.number("index", 1, most=MOST), len(found) + 1)
    found[at - 1 : at] = [call.arguments[0]]
    _put(call, found, f"Setting {_shown(call.arguments[0])} on")


@command(
    "Removes a buildpack, by its name or its place in the order.",
    arguments=[Argument("BUILDPACK", "as `paas buildpacks` shows it", least=0)],
    options=[INDEX, APP, REMOTE],
    examples=["paas buildpacks:remove ./buildpacks/fonts", "paas buildpacks:remove -i 1 -a hello"],
)
def remove(call: Call) -> None:
    if len(call.arguments) + ("index" in call.options) != 1:
        raise usage("buildpacks:remove", "Name the buildpack, or its place with -i.")
    found = _names(call)
    hint = f"`paas buildpacks -a {call.app}` lists them."
    if call.arguments:
        asked = call.arguments[0]
        at = next((n for n, name in enumerate(found) if asked in (name, _shown(name))), None)
        if at is None:
            raise NotFound(f"The app has no buildpack {asked!r}.", hint)
    else:
        at = call.number("index", 1, most=MOST) - 1
        if at >= len(found):
            raise NotFound(f"The app has no buildpack number {at + 1}.", hint)
    removed = found.pop(at)
    _put(call, found, f"Removing {_shown(removed)} from")


@command(
    "Removes all buildpacks: the platform's own builds the app from the next push on.",
    options=[APP, REMOTE],
    examples=["paas buildpacks:clear", "paas buildpacks:clear -a hello"],
)
def clear(call: Call) -> None:
    _put(call, [], "Removing all buildpacks from")


def _names(call: Call) -> list[str]:
    listed = call.client.get(path("apps", call.app, "buildpack-installations"))
    return [each["buildpack"]["url"] for each in listed]


def _put(call: Call, names: list[str], doing: str) -> None:
    body = {"updates": [{"buildpack": name} for name in names]}
    with progress(f"{doing} {hexagon(call.app)}"):
        call.client.request("PUT", path("apps", call.app, "buildpack-installations"), body)
    if not names:
        print_line("The next push is built by the platform's own buildpack.")
        return
    print_line(f"The next push is built by {'these, in turn' if names[1:] else 'it'}:")
    _print(names)


def _print(names: list[str]) -> None:
    for number, name in enumerate(names, start=1):
        print_line(f"{number}. {_shown(name)}" if names[1:] else _shown(name))


def _shown(name: str) -> str:
    """Without what may be a password."""
    return re.sub(r"//[^/]*@", "//…@", name)
