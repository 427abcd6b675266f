"""npm in a build zone: the one of the runtime, or another that the app asks for."""

from collections.abc import Mapping

from buildpacks.nodejs.npm.versions import OLDEST
from paas.builder import checkout
from paas.builder.nodejs.tool import Tool
from paas.node import words
from paas.settings import Settings

_CACHE = "/var/tmp/npm"
"""On the zone's disk, because its tmpfs is memory."""
_UNPACK = """
set -e
rm -rf /opt/npm
mkdir -p /opt/npm/bin /opt/npm/lib/node_modules/npm
cd /opt/npm
tar -x -z -f - -C lib/node_modules/npm --strip-components=1 --no-same-owner
chmod 755 lib/node_modules/npm/bin/*-cli.js
ln -s ../lib/node_modules/npm/bin/npm-cli.js bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js bin/npx
"""


def _variables(_settings: Settings) -> Mapping[str, str]:
    return {
        "npm_config_cache": _CACHE,
        "npm_package_config_node_gyp_nodedir": "/opt/node",
        "npm_config_userconfig": checkout.NPMRC,
    }


NPM = Tool(
    name="npm",
    packages={OLDEST: "npm"},
    unpack=_UNPACK,
    cache=_CACHE,
    tag=words.NPM,
    variables=_variables,
)
