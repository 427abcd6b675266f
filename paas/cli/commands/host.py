"""Commands on this host: start and stop the platform, check, install and uninstall it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from paas.cli.call import Call, usage
from paas.cli.command import JSON, Argument, Option, command
from paas.cli.commands.apps import confirm
from paas.cli.output import coloured, note, plain, print_json, print_line
from paas.cli.repository import program
from paas.client.api import Client
from paas.client.endpoint import Endpoint
from paas.errors import UserError
from paas.settings import Settings

if TYPE_CHECKING:
    from paas.host.finding import Finding


def _root_only(what: str) -> None:
    if os.geteuid() != 0:
        raise UserError("forbidden", f"Only root can {what}.", "Try again with sudo.")


@command(
    "Starts the platform on this host. In the foreground, Ctrl-C stops it; machines run on.\n"
    "With -d it returns when the platform is ready, or fails with the reason.",
    options=[
        Option("detach", "in the background", short="d"),
        Option("replace", "stop one that runs from other code first"),
    ],
    examples=["paas up", "paas up -d", "paas up -d --replace"],
)
def up(call: Call) -> int:
    _root_only("start the platform")
    from paas.supervisor import main as supervisor

    return supervisor.run(
        call.settings, detach="detach" in call.flags, replace="replace" in call.flags
    )


@command(
    "Stops the platform and all its machines. Data stays; `paas up` starts everything again.",
    examples=["paas down"],
)
def down(call: Call) -> int:
    _root_only("stop the platform")
    from paas.supervisor import main as supervisor

    return supervisor.down(call.settings)


@command(
    "Checks this host: what the platform needs, what is missing, and how to get it.\n"
    "Exit code 1 when something that is needed is missing.",
    options=[Option("only", "only checks whose name begins so", "NAME"), JSON],
    examples=["paas doctor", "paas doctor --json | jq '.[] | select(.level == \"problem\")'"],
)
def doctor(call: Call) -> int:
    from paas.host import checks

    findings = []
    for finding in checks.run(call.settings, call.options.get("only", "")):
        findings.append(finding)
        if not call.json:
            _print_finding(finding)
    if not findings:
        raise usage("doctor", f"No check begins with {call.options['only']!r}.")
    if call.json:
        print_json([finding.as_dict() for finding in findings])
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if not call.json:
        print_line(f"\n{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}")
    return 1 if problems else 0


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _print_finding(finding: "Finding") -> None:
    colour = {"ok": "32", "warning": "33", "problem": "31"}[finding.level]
    print(f"{coloured(f'{finding.level:<8}', colour)} {plain(finding.name)}: {plain(finding.text)}")
    for line in finding.remedy.splitlines():
        print(f"         {plain(line)}")


@command(
    "Starts the platform at every boot, through systemd, with the router on ports 80 and 443.",
    options=[Option("root", "write below this folder instead of / and start nothing", "FOLDER")],
    examples=["paas install"],
)
def install(call: Call) -> None:
    from paas.host import install as installer

    root = Path(call.options.get("root", "/"))
    if root == Path("/"):
        _root_only("install the platform")
    for line in installer.install(call.settings, program(), root):
        note(line)


@command(
    "Removes the platform from this host: its processes, machines, networks, firewall rules,\n"
    "data, logs, units and commands. There is no way back.",
    options=[Option("confirm", "the installation's name", "NAME", "c"), JSON],
    examples=["paas uninstall --confirm smartplatform"],
)
def uninstall(call: Call) -> int:
    _root_only("remove the platform")
    from paas.host import uninstall as remover

    name = call.settings.installation
    warning = f"This removes the platform {name!r} from this host with all apps and their data."
    confirm(name, call.options.get("confirm"), warning)
    removed: list[str] = []
    left: list[str] = []
    for step in remover.uninstall(call.settings):
        (removed if step.done else left).append(step.text)
        if not call.json:
            print_line(("removed " if step.done else "could not remove ") + step.text)
    if call.json:
        print_json({"removed": removed, "left": left})
    elif not removed and not left:
        note("There was nothing to remove.")
    return 1 if left else 0


@command(
    "Puts a backup of the platform's database in its place: the newest that is whole, or the one\n"
    "that is named. The database that was there is kept beside it. What was changed since the\n"
    "backup is lost: the platform removes what it then knows nothing of.",
    arguments=[Argument("FILE", "another backup", least=0)],
    options=[JSON],
    examples=["paas database:restore", "paas database:restore /root/platform-2026-11-29.db"],
)
def restore_database(call: Call) -> None:
    _root_only("restore the database")
    from paas.store.sql import backups, file

    database = file.path_of(call.settings.database_url)
    if database is None:
        raise UserError("invalid_params", "The database is no file of this host.")
    _refuse_a_database_in_use(call.settings)
    named = Path(call.arguments[0]) if call.arguments else None
    backup, aside = backups.restore(database, named)
    if call.json:
        print_json({"database": str(database), "backup": str(backup), "aside": str(aside or "")})
        return
    print_line(f"{backup} is the database now.")
    if aside is not None:
        print_line(f"What was there is {aside}.")


def _refuse_a_database_in_use(settings: Settings) -> None:
    if not settings.control_socket.exists():
        return
    here = Endpoint(f"http://localhost:{settings.control_port}", unix=settings.control_socket)
    try:
        Client(here).get("/account")
    except UserError:
        return
    raise UserError(
        "conflict",
        "The platform runs with its database, and nothing is wrong with that.",
        "To go back to a backup all the same: paas down, then paas database:restore, "
        "then paas up -d.",
    )
