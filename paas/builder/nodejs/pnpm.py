"""pnpm in a build zone. From 12 on it is a binary, in a package of its own for each processor."""

from collections.abc import Mapping

from buildpacks import ranges
from buildpacks.nodejs.pnpm.versions import OLDEST
from paas.builder import checkout
from paas.builder.nodejs import npmrc, registry
from paas.builder.nodejs.tool import Tool
from paas.node import words
from paas.settings import Settings

_CACHE = "/var/tmp/pnpm"
"""On the zone's disk and beside the app, so that packages are linked rather than copied."""
_FIRST_BINARY = (12, 0, 0)
_UNPACK = """
set -e
rm -rf /opt/pnpm
mkdir -p /opt/pnpm/bin /opt/pnpm/package
cd /opt/pnpm
tar -x -z -f - -C package --strip-components=1 --no-same-owner
for name in pnpm pnpx pn pnx; do
  for file in package/$name package/bin/$name.mjs package/bin/$name.cjs package/bin/$name.js; do
    if test -f $file; then chmod 755 $file; ln -s ../$file bin/$name; break; fi
  done
done
"""
_UNPACK_BINARY = """
set -e
cd /opt/pnpm
tar -x -z -f - -C package --strip-components=1 --no-same-owner package/pnpm
chmod 755 package/pnpm
"""


def _binary(version: str) -> str:
    if ranges.release(version) < _FIRST_BINARY:
        return ""
    return f"@pnpm/exe.linux-{registry.architecture()}"


def _variables(settings: Settings) -> Mapping[str, str]:
    """`npm_config_…` is read until 10, `pnpm_config_…` from 11 on."""
    told = {
        "store_dir": f"{_CACHE}/store",
        "cache_dir": f"{_CACHE}/cache",
        "state_dir": f"{_CACHE}/state",
        "userconfig": checkout.NPMRC,
        "npmrc_auth_file": checkout.NPMRC,
        **({"registry": found} if (found := npmrc.registry(settings)) else {}),
    }
    return {
        **{f"npm_config_{name}": text for name, text in told.items()},
        **{f"pnpm_config_{name}": text for name, text in told.items()},
        "npm_config_nodedir": "/opt/node",
        "npm_package_config_node_gyp_nodedir": "/opt/node",
        "PNPM_HOME": f"{_CACHE}/home",
    }


PNPM = Tool(
    name="pnpm",
    packages={OLDEST: "pnpm"},
    unpack=_UNPACK,
    cache=_CACHE,
    tag=f"{words.PACKAGE_MANAGER}pnpm",
    variables=_variables,
    binary=_binary,
    unpack_binary=_UNPACK_BINARY,
    # From 10.34.2, 11.5.3 and 12 on: whoever has a repository sent could learn the variables there.
    distrusts=".npmrc",
)
