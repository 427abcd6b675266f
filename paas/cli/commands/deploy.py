"""`paas deploy`: a folder becomes a commit of the app and is deployed, with or without git."""

import getpass
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from paas.cli import repository
from paas.cli.call import Call
from paas.cli.command import APP, REMOTE, Argument, Option, command
from paas.cli.commands.apps import git_url
from paas.cli.output import hexagon, note, print_json, print_line, progress
from paas.client import folder as folders
from paas.client import gitpush, objects
from paas.client.api import Client, path
from paas.client.folder import Entry, Folder
from paas.client.objects import Object
from paas.errors import UserError
from paas.system.plaintext import plain_but_colours

ASKED_AT_ONCE = 20_000
"""Ids of objects in one question."""
NAMED_MAX = 10
_BRANCHES = ("refs/heads/main", "refs/heads/master")
_TIDIED = " is missing"


@dataclass(frozen=True)
class Commit:
    """What is to be deployed: the commit, the trees and files that it needs, where it goes."""

    ref: str
    old: str | None
    commit: Object
    trees: Sequence[Object]
    folder: Folder


@command(
    "Deploys a folder as it is, also one that is in no git repository. What .gitignore names\n"
    "stays here, and node_modules; what the platform has already is not sent again.\n"
    "\n"
    "The files become a commit upon the app's branch, so releases, rollbacks and `git clone` are\n"
    "as after a push. A later `git push` from a repository that lacks this commit is refused by\n"
    "git: `git pull paas main` brings it, `git push --force paas main` goes back over it.\n"
    "Ctrl-C cancels. Exit code 1 when the deploy fails; what ran before runs on.",
    arguments=[Argument("FOLDER", "the folder (default: this one)", least=0)],
    options=[
        APP,
        REMOTE,
        Option("message", "what the release is for, as a commit's message", "TEXT", "m"),
        Option("no-cache", "use nothing of earlier builds: as if this were the first"),
        Option("detach", "return when the files are there; the build goes on by itself", short="d"),
        Option("dry-run", "list the files that would be sent, and send nothing", short="n"),
        Option("json", "print what was deployed as JSON; the log goes to stderr"),
    ],
    examples=[
        "paas deploy",
        "paas deploy ./dist -a hello",
        "paas deploy -m 'Summer prices'",
        "paas deploy --dry-run",
    ],
)
def deploy(call: Call) -> None:
    root = _entered(call.arguments[0] if call.arguments else ".")
    folder = folders.read(root)
    _describe(folder)
    if "dry-run" in call.flags:
        for entry in folder.entries:
            print_line(folders.shown(entry.path))
        return
    app = call.client.get(path("apps", call.app))
    commit = _commit(call, app, folder)
    sent = _send(call, str(app["name"]), commit)
    _say_next(call, str(app["name"]))
    if call.json:
        print_json(_result(app, commit, sent))


def _entered(typed: str) -> Path:
    """From now on the current folder is the one to deploy: its git remote names the app."""
    root = Path(typed).expanduser().resolve()
    try:
        os.chdir(root)
    except OSError as error:
        raise UserError(
            "not_found", f"{typed} is no folder: {error.strerror}.", "Name the app's folder."
        ) from error
    if root in (Path("/"), Path.home().resolve()):
        raise UserError(
            "usage", f"{root} is not an app's folder.", "Go to the app's folder, or name it."
        )
    return root


def _describe(folder: Folder) -> None:
    if not folder.entries:
        left = f" All of it is left out: {_named(folder)}." if folder.left_out else ""
        raise UserError("folder", f"{folder.root} has no files.{left}", "Name the app's folder.")
    note(f"{folder.root}: {_files(len(folder.entries))}, {_size(folder.size_bytes)}")
    if folder.left_out:
        note(f"Left out: {_named(folder)}")


def _named(folder: Folder) -> str:
    """`node_modules/, dist/ (.gitignore)`."""
    shown = [
        folders.shown(path) + ("" if why == "always" else f" ({why})")
        for path, why in sorted(folder.left_out)
    ]
    more = len(shown) - NAMED_MAX
    return ", ".join(shown[:NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _commit(call: Call, app: dict[str, Any], folder: Folder) -> Commit:
    refs = gitpush.branches(call.client, str(app["name"]))
    setting = app.get("deploy_branch")
    names = (f"refs/heads/{setting}",) if setting else _BRANCHES
    ref = next((name for name in names if name in refs), names[0])
    trees = objects.trees(folder.entries)
    message = call.options.get("message") or f"Deploy of folder {folder.root.name}"
    made = objects.commit(trees[0].id, refs.get(ref), _author(), message)
    return Commit(ref, refs.get(ref), made, trees, folder)


def _author() -> str:
    """Who is at the keyboard, as git says it where nobody told it a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    words = "".join(letter for letter in user if letter.isprintable() and letter not in "<>")
    return f"{words or 'unknown'} <{words or 'unknown'}@{socket.gethostname()}>"


def _send(call: Call, app: str, commit: Commit) -> int:
    """Bytes that were sent. Raises UserError when it is not deployed."""
    report, sent = _push(call, app, commit, _needed(call.client, app, commit))
    if not report.unpacked and _TIDIED in str(report.refusal):
        note("The platform has tidied up meanwhile: everything is sent.")
        everything = {entry.id for entry in commit.folder.entries}
        everything |= {tree.id for tree in commit.trees}
        report, sent = _push(call, app, commit, everything)
    if report.refusal is None:
        return sent
    raise UserError(
        "deploy_failed",
        f"Not deployed: {report.refusal}. What ran before runs on.",
        f"The log above says why; paas builds -a {app} lists all attempts.",
    )


def _push(call: Call, app: str, commit: Commit, needed: set[str]) -> tuple[gitpush.Report, int]:
    entries = list({e.id: e for e in commit.folder.entries if e.id in needed}.values())
    trees = list({tree.id: tree for tree in commit.trees if tree.id in needed}.values())
    size = sum(entry.bytes for entry in entries)
    with gitpush.spool() as pack:
        with progress(f"Sending {_what(commit.folder, entries, size)} to {hexagon(app)}"):
            objects.write_pack(pack, [commit.commit, *trees], entries, commit.folder.read)
            pushed = gitpush.Push(call.client, app, commit.ref, commit.old, commit.commit.id)
            options = [name for name in ("no-cache", "detach") if name in call.flags]
            said = pushed.said(pack, options)
            first = next(said, "")  # the platform has it now
        stream = sys.stderr if call.json else sys.stdout
        for text in chain([first], said):
            print(plain_but_colours(text), end="", file=stream, flush=True)
    return pushed.report, size


def _what(folder: Folder, entries: Sequence[Entry], size: int) -> str:
    if len(entries) == len(folder.entries):
        return f"{_files(len(entries))}, {_size(size)},"
    if not entries:
        return "no file: the platform has them all,"
    return f"{len(entries):,} of {_files(len(folder.entries))}, {_size(size)},"


def _needed(client: Client, app: str, commit: Commit) -> set[str]:
    """The ids of what the app's repository lacks."""
    ids = list({tree.id: None for tree in commit.trees})
    ids += list({entry.id: None for entry in commit.folder.entries})
    place = path("smartplatform", "apps", app, "objects", "missing")
    found: set[str] = set()
    for start in range(0, len(ids), ASKED_AT_ONCE):
        asked = {"objects": ids[start : start + ASKED_AT_ONCE]}
        found |= set(client.post(place, asked)["missing"])
    return found


def _say_next(call: Call, app: str) -> None:
    """Where the folder has the app's remote, the next push is refused by git."""
    remotes = repository.remotes_of(git_url(call, app)) if repository.inside() else []
    if remotes:
        note(f"Your repository lacks this commit. Before the next push: git pull {remotes[0]}")


def _result(app: dict[str, Any], commit: Commit, sent: int) -> dict[str, Any]:
    folder = commit.folder
    return {
        "app": {"id": app["id"], "name": app["name"]},
        "branch": commit.ref.removeprefix("refs/heads/"),
        "commit": commit.commit.id,
        "files": len(folder.entries),
        "bytes": folder.size_bytes,
        "sent_bytes": sent,
        "left_out": [{"path": folders.shown(p), "reason": why} for p, why in folder.left_out],
    }


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
