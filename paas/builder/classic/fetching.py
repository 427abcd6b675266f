"""Brings a buildpack's files into the build zone: fetched there, as the zone's own network lets it.

Nothing of the host reads them. What was fetched last is used where the address can't be reached.
"""

import asyncio
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

from buildpacks import output
from buildpacks.classic import Buildpack, Kind
from buildpacks.findings import Failure
from paas.builder import zone
from paas.builder.classic import keeping
from paas.builder.work import BuildFailed, Building, must

SOURCE = "/tmp/buildpack"
"""On the zone's own tmpfs: it is in no image."""
_TIME_S = 90.0
_SAID_CHARACTERS_MAX = 300
_BEGIN = f"""
set -e
rm -rf {SOURCE} {SOURCE}.tgz
mkdir -m 700 {SOURCE}
cd {SOURCE}
"""
# The login is in no argument: those of a zone's processes can be read from outside.
_GIT = f"""{_BEGIN}
IFS= read -r login || true
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_ALLOW_PROTOCOL="$3" GIT_HTTP_LOW_SPEED_LIMIT=1000 GIT_HTTP_LOW_SPEED_TIME=20
ulimit -f "$4"
git init -q .
if [ -n "$login" ]; then
  printf '%s\\n' "$login" > .git/login
  git config credential.helper "store --file=$PWD/.git/login"
fi
git config remote.origin.url "$1"
git fetch -q --depth 1 --no-tags origin "$2"
git checkout -q --detach FETCH_HEAD
[ ! -e .gitmodules ] || git submodule -q update --init --depth 1
git rev-parse HEAD
rm -rf .git
"""
_ARCHIVE = f"""{_BEGIN}
curl --proto "=$1" --proto-redir "=$1" --fail --silent --show-error --location \
  --max-filesize "$2" --max-time "$3" --config - --output {SOURCE}.tgz
tar -x -z -f {SOURCE}.tgz --no-same-owner
if [ ! -e bin ] && [ "$(ls -A | wc -l)" = 1 ]; then
  top=$(ls -A)
  mv -- "$top" {SOURCE}.top && rmdir {SOURCE} && mv {SOURCE}.top {SOURCE}
fi
sha256sum < {SOURCE}.tgz | cut -d ' ' -f 1
rm -f {SOURCE}.tgz
"""
_FOLDER = f"""{_BEGIN}
[ -d "$1" ] || {{ echo "there is no folder ${{1#/app/}} in the build"; exit 1; }}
cp -a -- "$1/." .
"""
_KEPT = f"""{_BEGIN}
exec tar -x -f - --no-same-owner
"""


async def fetch(building: Building, buildpack: Buildpack) -> None:
    """The buildpack is at SOURCE, and the developer knows which one. Raises BuildFailed."""
    machine, write = building.machine, building.work.write
    if buildpack.kind is Kind.FOLDER:
        result = await _script(machine, _FOLDER, zone.at(buildpack.place))
        if result.code:
            raise BuildFailed(_not_there(buildpack, result.tail))
        return
    result = await _fetched(building, buildpack)
    kept = keeping.of(building.work.settings, building.work.app_id, buildpack)
    if result.code == 0:
        pin = result.tail.rpartition("\n")[2].strip()
        await write(output.detail(_said(buildpack, pin)))
        await _keep(building, kept, pin)
        return
    why, found = _why(result), kept.source()
    if found is None:
        raise BuildFailed(_unreachable(buildpack, why))
    path, pin = found
    await must(machine.run(("sh", "-c", _KEPT), fill=keeping.fill(path), working_directory="/"))
    await write(output.detail(f"Note: it can't be fetched now ({why})"))
    await write(output.detail(f"What was fetched last is used: {_said(buildpack, pin)}"))


async def _fetched(building: Building, buildpack: Buildpack) -> zone.Result:
    protocols = "https:http" if building.work.settings.fetch_from_private_addresses else "https"
    bytes_max = keeping.SOURCE_BYTES_MAX
    parts = urlsplit(buildpack.place)
    host = f"{buildpack.login}@{parts.netloc}" if buildpack.login else parts.netloc
    if buildpack.kind is Kind.GIT:
        login = f"{parts.scheme}://{buildpack.login}" if buildpack.login else ""
        login += ("" if ":" in buildpack.login else ":") + f"@{parts.netloc}" if login else ""
        words = (buildpack.place, buildpack.ref or "HEAD", protocols, str(bytes_max // 512))
        return await _script(building.machine, _GIT, *words, told=f"{login}\n")
    url = urlunsplit(parts._replace(netloc=host))
    limits = (protocols.replace(":", ","), str(bytes_max), str(int(_TIME_S)))
    return await _script(building.machine, _ARCHIVE, *limits, told=f'url = "{url}"\n')


async def _script(machine: zone.Zone, script: str, *words: str, told: str = "") -> zone.Result:
    command = ("sh", "-c", script, "sh", *words)

    def fill(stream: BinaryIO) -> None:
        stream.write(told.encode())

    try:
        async with asyncio.timeout(_TIME_S):
            return await machine.run(
                command,
                fill=fill,
                end_rest=True,
                environment={"HOME": "/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"},
                working_directory="/",
            )
    except TimeoutError:
        return zone.Result(124, f"it took more than {_TIME_S:.0f} s")


async def _keep(building: Building, kept: keeping.Kept, pin: str) -> None:
    """For a time when the address can't be reached. What can't be kept is no reason to stop."""
    before = kept.source()
    if before and before[1] == pin:
        return
    path = kept.source_of(pin)
    why = await keeping.keep(building.machine, SOURCE, path, keeping.SOURCE_BYTES_MAX)
    if before and not why:
        before[0].unlink(missing_ok=True)


def _said(buildpack: Buildpack, pin: str) -> str:
    if buildpack.kind is Kind.ARCHIVE:
        return f"SHA256:{pin}"
    return f"commit {pin}" + (f" ({buildpack.ref})" if buildpack.ref else "")


def _why(result: zone.Result) -> str:
    lines = [line.strip() for line in result.tail.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    return (said or (lines[-1] if lines else f"status {result.code}"))[:_SAID_CHARACTERS_MAX]


def _unreachable(buildpack: Buildpack, why: str) -> Failure:
    return Failure(
        "buildpack_unreachable",
        f"The buildpack {buildpack.shown} can't be fetched: {why}",
        "Is the address right, and the branch, tag or commit (in full) behind its #? A private "
        "repository's address has a token: https://TOKEN@host/owner/name",
    )


def _not_there(buildpack: Buildpack, why: str) -> Failure:
    return Failure(
        "buildpack_unreachable",
        f"The buildpack {buildpack.name} is not there: {why}",
        f"Commit the folder, or take the buildpack out: paas buildpacks:remove {buildpack.name}",
    )
