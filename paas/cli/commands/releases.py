"""Commands on releases: list, show, roll back."""

import re
import shlex
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    header,
    hexagon,
    note,
    print_columns,
    print_json,
    print_line,
    print_pairs,
    print_value,
    progress,
    when,
)
from paas.client.api import path
from paas.errors import UserError

LOOKED_AT = 200
"""So many of the newest releases are looked through for the current one and the one before."""


@command(
    "Lists an app's releases, the newest first. A push, a change of config vars and a rollback\n"
    "each make one.",
    options=[APP, REMOTE, Option("num", "how many (default 15)", "COUNT", "n"), JSON],
    examples=["paas releases", "paas releases -n 50 -a hello"],
)
def releases(call: Call) -> None:
    found = _newest(call, call.number("num", 15))
    if call.json:
        print_json(found)
        return
    if not found:
        print_line(f"{hexagon(call.app)} has no releases.")
        return
    current = next((release for release in found if release.get("current")), None)
    title = f"{hexagon(call.app)} Releases"
    header(title + (f" - Current: v{current['version']}" if current else ""))
    print_columns([_row(release) for release in found])


def _newest(call: Call, count: int) -> list[dict[str, Any]]:
    found = call.client.get(path("apps", call.app, "releases"), newest=("version", count))
    return sorted(found, key=lambda release: int(release["version"]), reverse=True)[:count]


def _row(release: dict[str, Any]) -> list[str]:
    status = "" if release.get("status") in (None, "succeeded") else f" ({release['status']})"
    user = (release.get("user") or {}).get("email", "")
    text = f"{release.get('description') or ''}{status}"
    return [f"v{release['version']}", text, user, when(release.get("created_at"))]


@command(
    "Shows one release and the config vars it runs with. Without a number: the newest.",
    arguments=[Argument("RELEASE", "v5 or 5", least=0)],
    options=[
        APP,
        REMOTE,
        Option("shell", "print the config vars so that a shell can read them", short="s"),
        JSON,
    ],
    examples=["paas releases:info", "paas releases:info v5 --json"],
)
def info(call: Call) -> None:
    release = _find(call, call.arguments[0]) if call.arguments else _last(call)
    if call.json:
        print_json(release)
        return
    version = str(release["version"])
    values = call.client.get(path("apps", call.app, "releases", version, "config-vars"))
    status = "" if release.get("status") in (None, "succeeded") else f" ({release['status']})"
    header(f"Release v{version}")
    print_pairs(
        {
            "By": (release.get("user") or {}).get("email", ""),
            "Change": f"{release.get('description') or ''}{status}",
            **({"Failure": release["failure"]} if release.get("failure") else {}),
            "When": when(release.get("created_at")),
        }
    )
    print_line()
    header(f"v{version} Config vars")
    if "shell" in call.flags:
        for name in sorted(values):
            print_value(f"{name}={shlex.quote(str(values[name]))}")
    else:
        print_pairs({name: values[name] for name in sorted(values)})


@command(
    "Goes back to the image and config vars of an earlier release, as a new release.\n"
    "Without a number: the one before the current.",
    arguments=[Argument("RELEASE", "v5 or 5", least=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas rollback", "paas rollback v5 -a hello"],
)
def rollback(call: Call) -> None:
    found = _newest(call, LOOKED_AT)
    current = next((one for one in found if one.get("current")), None)
    target = _find(call, call.arguments[0]) if call.arguments else _before(call, found, current)
    with progress(f"Rolling back {hexagon(call.app)} to v{target['version']}") as state:
        latest = call.client.post(path("apps", call.app, "releases"), {"release": target["id"]})
        state.result = f"v{latest['version']}"
    note("Rollback affects code and config vars; databases stay as they are.")
    if current and current.get("slug"):
        note(f"To undo, run: paas rollback v{current['version']} -a {call.app}")
    if call.json:
        print_json(latest)


def _find(call: Call, typed: str) -> dict[str, Any]:
    match = re.fullmatch(r"v?(\d{1,9})", typed)
    if not match:
        raise usage(call.command, f"{typed!r} is no release: write v5 or 5.")
    release: dict[str, Any] = call.client.get(path("apps", call.app, "releases", match[1]))
    return release


def _last(call: Call) -> dict[str, Any]:
    found = _newest(call, 1)
    if found:
        return found[0]
    raise UserError(
        "not_found",
        f"{hexagon(call.app)} has no releases.",
        "The first push makes one: git push paas main",
    )


def _before(
    call: Call, found: list[dict[str, Any]], current: dict[str, Any] | None
) -> dict[str, Any]:
    """The newest good release below the current one that has an image (Heroku: a slug)."""
    for release in found:
        good = release.get("status") in (None, "succeeded") and release.get("slug")
        if current is not None and release["version"] < current["version"] and good:
            return release
    raise UserError(
        "not_found",
        f"{hexagon(call.app)} has no earlier release to go back to.",
        f"`paas releases -a {call.app}` lists them.",
    )
