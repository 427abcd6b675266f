"""What other people's buildpacks have left: process types, scripts that instances source, names.

What they may not do is looked for here as well: the platform's own buildpack goes by the commit's
package.json and lock file, not by what another one makes of them.
"""

import asyncio
import hashlib
import posixpath

from buildpacks import classic
from buildpacks.findings import Failure, Refused
from buildpacks.plan import Process
from paas.builder import zone
from paas.builder.classic import running
from paas.builder.source import CommitTree
from paas.builder.work import BuildFailed, Building, refused

_DESCRIBES = (
    *("package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock"),
    *("pnpm-lock.yaml", "pnpm-workspace.yaml", "bun.lock", "bun.lockb", "deno.json", "deno.lock"),
)
"""What the platform's own buildpack is planned from."""
_FILE_BYTES_MAX = 64 * 1024 * 1024
_SUMS = 'for file; do [ -L "$file" ] || [ ! -f "$file" ] || sha256sum -b -- "$file"; done'
_PROCFILE = "[ ! -e Procfile ] || exec cat Procfile"
_PROFILE = 'set -- .profile.d/*.sh; [ -r "$1" ] || [ -r .profile ]'


async def check_untouched(building: Building) -> None:
    """What has run so far left the files alone that the next steps are planned from.

    Raises BuildFailed.
    """
    plan, work = building.start.plan, building.work
    folders = dict.fromkeys((plan.folder, plan.installs_in))
    names = [posixpath.join(folder, name) for folder in folders for name in _DESCRIBES]
    paths = [zone.at(name) for name in names]
    code, printed = await running.captured(building, "sh", "-c", _SUMS, "sh", *paths)
    expected = await asyncio.to_thread(_of_commit, building, names)
    found = {
        path: sum
        for sum, _, path in (line.partition(" *") for line in printed.decode().splitlines())
    }
    for name in names:
        if code == 0 and found.get(zone.at(name)) == expected.get(name):
            continue
        before = ", ".join(each.shown for each in building.start.order.before)
        raise BuildFailed(
            Failure(
                "buildpack_changed_package",
                f"{name} was changed by a buildpack that ran before heroku/nodejs ({before}), "
                "which goes by the commit's",
                "If it moves a folder of the repository to the top, say which folder the app is "
                f"instead: paas buildpacks:clear -a {work.app_name} && "
                f"paas apps:set --root FOLDER -a {work.app_name}",
            )
        )


def _of_commit(building: Building, names: list[str]) -> dict[str, str]:
    work, start = building.work, building.start
    tree = CommitTree(work.repository, work.commit, start.large, start.ignored.hides)
    contents = {name: tree.read(name, _FILE_BYTES_MAX) for name in names}
    return {
        name: hashlib.sha256(content).hexdigest()
        for name, content in contents.items()
        if content is not None
    }


async def processes(building: Building) -> dict[str, Process]:
    """The app's process types. Raises BuildFailed when there are none."""
    plan, order = building.start.plan, building.start.order
    code, written = await running.captured(building, "sh", "-c", _PROCFILE)
    try:
        found = classic.processes(
            plan.processes,
            building.defaults,
            written if code == 0 and written else None,
            len(order.before) if order.has_ours else -1,
        )
    except Refused as error:
        raise refused(error) from error
    if not found:
        raise BuildFailed(
            Failure(
                "no_start_command",
                "Nothing says how to start the app: there is no Procfile, and no buildpack has a "
                "default process type",
                "Say it in a Procfile: echo 'web: <command>' > Procfile && git add Procfile && "
                "git commit -m 'Say how to start'",
            )
        )
    return found


async def has_profile(building: Building) -> bool:
    """Are there scripts that are sourced when an instance starts?"""
    code, _ = await running.captured(building, "sh", "-c", _PROFILE)
    return code == 0
