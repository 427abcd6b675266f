"""The Aptfile's packages in a build zone: unpacked into `.apt` of the tree, by the zone itself.

They stay in the trunk and the images from one build to the next: the same Aptfile on the same stack
costs nothing. What an archive holds is its maker's; no script of a package is run. What Debian's
alternatives would link (`libblas.so.3` of `blas/`, without which ffmpeg does not start) is linked.
"""

import asyncio
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from buildpacks import aptfile, output
from buildpacks.findings import Failure
from paas.builder import archives, zone
from paas.builder.work import BuildFailed, Building

_TIMEOUT_S = 600.0
_URL_BYTES_MAX = 256 * 1024 * 1024
_URL_TIME_S = 180
_SHOWN_MAX = 8
_FETCHED = 3
"""The status of the script when an address could not be fetched; then it says which."""
_UNPACK = f"""
made=/var/tmp/apt
rm -rf {aptfile.FOLDER} $made && mkdir -p {aptfile.FOLDER} $made || exit
tar -x -f - -C $made --no-same-owner || exit
number=0
for url; do
  number=$((number + 1))
  curl --proto =https --proto-redir =https --fail --silent --show-error --location \
    --max-filesize {_URL_BYTES_MAX} --max-time {_URL_TIME_S} \
    -o $made/url-$number.deb -- "$url" || {{ echo "$url"; exit {_FETCHED}; }}
done
for deb in $made/*.deb; do
  [ ! -e "$deb" ] || dpkg-deb -x "$deb" {aptfile.FOLDER} || {{ echo "${{deb##*/}}"; exit 4; }}
done
rm -rf $made
for found in $(find {aptfile.FOLDER}/usr/lib/*-linux-gnu -mindepth 2 -maxdepth 2 \
  ! -type d -name 'lib*.so.*' 2>/dev/null); do
  above=${{found%/*/*}}
  link=$above/${{found##*/}}
  [ -e "$link" ] || ln -s "${{found#"$above/"}}" "$link"
done
find {aptfile.FOLDER} -type f -path '*/pkgconfig/*.pc' \
  -exec sed -i 's!^prefix=/usr!prefix=/app/{aptfile.FOLDER}/usr!' {{}} +
"""


async def put(building: Building) -> None:
    """Let the tree have the packages: a trunk has them already. Raises BuildFailed."""
    work, want = building.work, building.start.apt
    if not want.key:
        return
    if building.start.trunk:
        said = "Installing apt packages: skipped, the Aptfile has not changed"
        await work.write(output.step(said))
        return
    await work.write(output.step("Installing apt packages"))
    async with work.timeline.step("apt"):
        files = await archives.fetch(work.settings, want.packages, want.present)
        await work.write(output.detail(_said(files, want.urls)))
        await _unpack(building.machine, files, want.urls)


async def _unpack(machine: zone.Zone, files: Sequence[Path], urls: Sequence[str]) -> None:
    def fill(stream: BinaryIO) -> None:
        with tarfile.open(fileobj=stream, mode="w|") as tar:
            for file in files:
                tar.add(file, arcname=file.name, recursive=False)

    async with asyncio.timeout(_TIMEOUT_S):
        result = await machine.run(("sh", "-c", _UNPACK, "sh", *urls), fill=fill)
    if result.code == _FETCHED:
        raise BuildFailed(
            Failure(
                "apt_url_unreachable",
                f"Aptfile: an archive could not be fetched: {result.tail[-500:]}",
                "Is the address right, and can it be reached without a password?",
            )
        )
    if result.code:
        raise BuildFailed(
            Failure(
                "apt_unpack",
                f"Aptfile: an archive could not be unpacked: {result.tail[-500:]}",
                "It has to be a .deb for this server's processor.",
            )
        )


def _said(files: Sequence[Path], urls: Sequence[str]) -> str:
    names = [*(file.name.partition("_")[0] for file in files), *urls]
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    size = sum(file.stat().st_size for file in files)
    return f"{', '.join(names[:_SHOWN_MAX])}{more}: {size / (1 << 20):.1f} MiB"
