"""Bun for builds and instances: a binary, in a package of its own for each kind of processor."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from buildpacks.nodejs.bun.bun import OLDEST
from paas.builder import checkout
from paas.builder.nodejs import node_gyp, npmrc, registry
from paas.builder.nodejs.tool import Tool
from paas.node import words
from paas.settings import Settings

_CACHE = "/var/tmp/bun"
_UNPACK = f"""
set -e
mkdir -p /opt/bun/bin
cd /opt/bun
tar -x -z -f - --strip-components=1 --no-same-owner package/bin/bun
chmod 755 bin/bun
ln -s bun bin/bunx
{node_gyp.command("bin")}"""


@cache
def _package() -> str:
    """That for older processors where this one lacks what the other needs."""
    if registry.architecture() == "arm64":
        return "@oven/bun-linux-aarch64"
    flags = Path("/proc/cpuinfo").read_text().split()
    return "@oven/bun-linux-x64" if "avx2" in flags else "@oven/bun-linux-x64-baseline"


def _variables(settings: Settings) -> Mapping[str, str]:
    found = npmrc.registry(settings)
    return {
        "BUN_INSTALL_CACHE_DIR": f"{_CACHE}/cache",
        "BUN_INSTALL": f"{_CACHE}/home",
        "BUN_TMPDIR": "/var/tmp",
        "npm_config_userconfig": checkout.NPMRC,
        "npm_config_nodedir": "/opt/node",
        "npm_package_config_node_gyp_nodedir": "/opt/node",
        **({"BUN_CONFIG_REGISTRY": found} if found else {}),
    }


BUN = Tool(
    name="bun",
    packages={OLDEST: _package()},
    unpack=_UNPACK,
    cache=_CACHE,
    tag=f"{words.PACKAGE_MANAGER}bun",
    variables=_variables,
    is_runtime=True,
)
