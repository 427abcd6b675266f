"""Runs other people's buildpacks in the build zone, one after the other, as Heroku does.

https://devcenter.heroku.com/articles/buildpack-api: `bin/detect BUILD_DIR`, `bin/compile BUILD_DIR
CACHE_DIR ENV_DIR`, `bin/release BUILD_DIR`; what a file `export` sets is there for those that run
later. BUILD_DIR is the app's folder itself, where Heroku has it with `build-in-app-dir`. Config
vars are files of ENV_DIR, not variables.
"""

import asyncio
import base64
import io
import tarfile
from collections.abc import Sequence
from typing import BinaryIO

from buildpacks import classic, nodejs, output
from buildpacks.classic import Buildpack, Kind
from buildpacks.findings import Failure
from paas.builder import shortage, zone
from paas.builder.classic import fetching, keeping
from paas.builder.classic.fetching import SOURCE
from paas.builder.nodejs import npmrc
from paas.builder.work import BuildFailed, Building, must

_CACHE = "/var/tmp/buildpack-cache"
_ENV = "/tmp/buildpack-env"
_CAPTURED_BYTES_MAX = 256 * 1024
_OWN_TIME_S = 60.0
"""For `detect` and `release`, and each reading of what they left."""
_NAME_CHARACTERS_MAX = 60
_DEVCENTER = "https://devcenter.heroku.com/articles/buildpacks#detection-failure"
_NO_CLASSIC, _CLOUD_NATIVE, _NOT_EXECUTABLE = 3, 4, 5
_NOT_RUN = (126, 127)
"""A shell's status for what it can't execute."""
_LOOK = f"""
cd {SOURCE} || exit {_NO_CLASSIC}
if [ ! -f bin/compile ] || [ ! -f bin/detect ]; then
  [ ! -f buildpack.toml ] || [ ! -f bin/build ] || exit {_CLOUD_NATIVE}
  exit {_NO_CLASSIC}
fi
[ -x bin/compile ] && [ -x bin/detect ] || exit {_NOT_EXECUTABLE}
"""
# Heroku's stack of the same age of libraries: binaries are made for one by name.
_ON_A_STACK = """
[ ! -r /usr/lib/os-release ] || . /usr/lib/os-release
case "${ID:-}-${VERSION_ID:-}" in
  debian-12|ubuntu-22.04) own=heroku-22 ;;
  *) own=heroku-24 ;;
esac
export STACK="${STACK:-$own}"
exec "$@"
"""
_CAPTURE = f"""
set -o pipefail
"$@" 2>/dev/null </dev/null | head -c {_CAPTURED_BYTES_MAX} | base64 -w 1000
"""
_PREPARE = f"rm -rf {_ENV} && mkdir -m 700 {_ENV} && exec tar -x -f - -C {_ENV}"
_CACHE_MADE = f"rm -rf {_CACHE} && mkdir {_CACHE}"
_EXPORTED = '. "$1" >/dev/null 2>&1; exec env -0'


async def run(building: Building, listed: Sequence[Buildpack]) -> None:
    """What they have made is in the tree; what they have said is in `building`.

    Raises BuildFailed.
    """
    for buildpack in listed:
        await _run(building, buildpack)


async def _run(building: Building, buildpack: Buildpack) -> None:
    work, machine = building.work, building.machine
    await work.write(output.step(f"Using buildpack: {buildpack.shown}"))
    if buildpack.kind is Kind.DONE_HERE:
        await work.write(output.detail(buildpack.place))
        building.defaults.append({})
        return
    async with work.timeline.step("buildpack"):
        await fetching.fetch(building, buildpack)
        await _look(building, buildpack)
        await _prepare(building, buildpack)
        name = await _detect(building, buildpack)
        await _compile(building, buildpack, name)
        await _take_exports(building)
        await _release(building)
        await _keep_cache(building, buildpack)
        await must(machine.run(("rm", "-rf", SOURCE, _CACHE, _ENV), working_directory="/"))
    building.detected.append(name)


async def _look(building: Building, buildpack: Buildpack) -> None:
    result = await building.machine.run(("sh", "-c", _LOOK), working_directory="/")
    shown = buildpack.shown
    if result.code == _NOT_EXECUTABLE:
        raise BuildFailed(
            Failure(
                "invalid_buildpack",
                f"The buildpack {shown} has programs that git does not hold as executable",
                "In its repository: git update-index --chmod=+x bin/detect bin/compile && "
                "git commit -m 'Make them executable'",
            )
        )
    if result.code == 0:
        return
    message = f"{shown} is no buildpack of Heroku's classic interface"
    if result.code == _CLOUD_NATIVE:
        message += ", but a Cloud Native Buildpack (it has buildpack.toml and bin/build)"
    else:
        message += ": there is no bin/detect and bin/compile"
    hint = "Name the repository of its classic form, as a rule heroku-buildpack-<name>."
    raise BuildFailed(Failure("invalid_buildpack", message, hint))


async def _prepare(building: Building, buildpack: Buildpack) -> None:
    """The folders that compile is given: config vars as files, and what it cached last."""
    work, machine = building.work, building.machine

    def fill(stream: BinaryIO) -> None:
        with tarfile.open(fileobj=stream, mode="w|") as tar:
            for name, text in work.config.items():
                content = text.encode()
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o600
                tar.addfile(member, io.BytesIO(content))

    await must(machine.run(("sh", "-c", _PREPARE), fill=fill, working_directory="/"))
    await must(machine.run(("sh", "-c", _CACHE_MADE), working_directory="/"))
    cache = keeping.of(work.settings, work.app_id, buildpack).cache
    if not work.from_nothing and cache.exists():
        unpack = ("tar", "-x", "-f", "-", "-C", _CACHE)
        result = await machine.run(unpack, fill=keeping.fill(cache), working_directory="/")
        if result.code:
            await work.write(output.detail("Note: its cache can't be read and is left out"))
            await must(machine.run(("sh", "-c", _CACHE_MADE), working_directory="/"))


async def _detect(building: Building, buildpack: Buildpack) -> str:
    """What the buildpack calls the app."""
    code, said = await captured(building, f"{SOURCE}/bin/detect", _build_dir(building))
    if code in _NOT_RUN:
        raise BuildFailed(_cant_be_run(buildpack, "bin/detect"))
    if code:
        raise BuildFailed(
            Failure(
                "buildpack_incompatible",
                f"App not compatible with buildpack: {buildpack.shown}",
                f"Its bin/detect found nothing of its kind in the app. More info: {_DEVCENTER}",
            )
        )
    name = said.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    name = "".join(letter for letter in name if letter.isprintable())[:_NAME_CHARACTERS_MAX]
    name = name or buildpack.place.rstrip("/").rpartition("/")[2].removesuffix(".git")
    await building.work.write(output.step(f"{name} app detected"))
    return name


def _cant_be_run(buildpack: Buildpack, program: str) -> Failure:
    return Failure(
        "invalid_buildpack",
        f"{program} of the buildpack {buildpack.shown} can't be run: its first line names no "
        "interpreter that there is, or ends as on Windows (CRLF)",
        "In its repository: sed -i 's/\\r$//' bin/* && git commit -am 'Line ends of Linux'",
    )


async def _compile(building: Building, buildpack: Buildpack, name: str) -> None:
    """With its output as it stands: buildpacks set it as Heroku shows it."""
    work, limits = building.work, building.work.limits
    secrets = npmrc.secrets(work.settings)
    step = f"compile of {name}"

    async def write(line: str) -> None:
        for secret in secrets:
            line = line.replace(secret, "[hidden]")
        await work.write(line.rstrip() + "\n")

    arguments = (f"{SOURCE}/bin/compile", _build_dir(building), _CACHE, _ENV)
    try:
        async with asyncio.timeout(limits.time_s):
            result = await building.machine.run(
                ("sh", "-c", _ON_A_STACK, "sh", *arguments),
                environment=_environment(building),
                write_line=write,
                end_rest=True,
                working_directory=_build_dir(building),
            )
    except TimeoutError:
        raise BuildFailed(shortage.of_time(step, limits)) from None
    if result.code in _NOT_RUN and not result.tail.strip().count("\n"):
        raise BuildFailed(_cant_be_run(buildpack, "bin/compile"), result.tail)
    if result.code:
        killed = (await work.node.get(building.machine.uuid)).get("oom_kills")
        if killed:
            failure = shortage.of_memory("build_out_of_memory", step, limits, counted=True)
        else:
            failure = Failure(
                "compile_failed",
                f"Push rejected, failed to compile {name} app.",
                "The buildpack's own words stand above.",
            )
        raise BuildFailed(failure, result.tail)


async def _take_exports(building: Building) -> None:
    """Of the file `export`: variables for the buildpacks and steps that come later."""
    shell = ("bash", "-c", _EXPORTED, "bash")
    before = await captured(building, *shell, "/dev/null")
    after = await captured(building, *shell, f"{SOURCE}/export")
    if before[0] == after[0] == 0:
        building.told.update(classic.differences(before[1], after[1]))


async def _release(building: Building) -> None:
    code, said = await captured(building, f"{SOURCE}/bin/release", _build_dir(building))
    types, without = classic.types(said.decode("utf-8", "replace")) if code == 0 else ({}, ())
    building.defaults.append(types)
    if without:
        does = "does" if len(without) == 1 else "do"
        said_of = f"Note: its {' and '.join(without)} {does} nothing here"
        await building.work.write(output.detail(said_of))


async def _keep_cache(building: Building, buildpack: Buildpack) -> None:
    work = building.work
    path = keeping.of(work.settings, work.app_id, buildpack).cache
    code, said = await captured(building, "ls", "-A", _CACHE)
    if code == 0 and not said:
        path.unlink(missing_ok=True)
        return
    why = await keeping.keep(building.machine, _CACHE, path, keeping.CACHE_BYTES_MAX)
    if why:
        path.unlink(missing_ok=True)
        await work.write(output.detail(f"Note: its cache is not kept: {why}"))


async def captured(building: Building, *command: str) -> tuple[int, bytes]:
    """What a command prints, as far as anybody reads it; its errors are nobody's matter."""
    lines: list[str] = []

    async def keep(line: str) -> None:
        if len(lines) * 1000 < 2 * _CAPTURED_BYTES_MAX:
            lines.append(line)

    whole = ("sh", "-c", _ON_A_STACK, "sh", "bash", "-c", _CAPTURE, "bash", *command)
    try:
        async with asyncio.timeout(_OWN_TIME_S):
            result = await building.machine.run(
                whole,
                environment=_environment(building),
                write_line=keep,
                end_rest=True,
                working_directory=_build_dir(building),
            )
        return result.code, base64.b64decode("".join(lines), validate=True)
    except (TimeoutError, ValueError):
        return 124, b""


def _build_dir(building: Building) -> str:
    return zone.at(building.start.plan.folder)


def _environment(building: Building) -> dict[str, str]:
    work = building.work
    stack = {"STACK": work.config["STACK"]} if work.config.get("STACK") else {}
    return {
        "PATH": nodejs.path(building.start.plan.folder),
        **building.told,
        **stack,
        "HOME": _build_dir(building),
        "SOURCE_VERSION": work.source_version,
    }
