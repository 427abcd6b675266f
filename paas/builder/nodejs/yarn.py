"""Yarn in a build zone: classic, and from its second major on (Berry), which is another package."""

from collections.abc import Mapping

from buildpacks.nodejs.berry.berry import OLDEST as OLDEST_BERRY
from buildpacks.nodejs.yarn.yarn import OLDEST
from paas.builder import checkout
from paas.builder.nodejs import node_gyp, npmrc
from paas.builder.nodejs.tool import Tool
from paas.node import words
from paas.settings import Settings

_CACHE = "/var/tmp/yarn"


def _unpack(name: str) -> str:
    return f"""
set -e
rm -rf /opt/{name}
mkdir -p /opt/{name}/bin /opt/{name}/package
cd /opt/{name}
tar -x -z -f - -C package --strip-components=1 --no-same-owner
chmod 755 package/bin/yarn.js
ln -s ../package/bin/yarn.js bin/yarn
ln -s ../package/bin/yarn.js bin/yarnpkg
{node_gyp.command("bin")}"""


def _of_classic(settings: Settings) -> Mapping[str, str]:
    registry = npmrc.registry(settings)
    return {
        "YARN_CACHE_FOLDER": _CACHE,
        "npm_config_userconfig": checkout.NPMRC,
        "npm_config_nodedir": "/opt/node",
        "npm_package_config_node_gyp_nodedir": "/opt/node",
        **({"YARN_REGISTRY": registry, "npm_config_registry": registry} if registry else {}),
    }


def _of_berry(settings: Settings) -> Mapping[str, str]:
    registry = npmrc.registry(settings)
    return {
        "YARN_GLOBAL_FOLDER": _CACHE,
        "npm_config_nodedir": "/opt/node",
        "npm_package_config_node_gyp_nodedir": "/opt/node",
        **({"YARN_NPM_REGISTRY_SERVER": registry.rstrip("/")} if registry else {}),
    }


YARN = Tool(
    name="yarn",
    packages={OLDEST: "yarn"},
    unpack=_unpack("yarn"),
    cache=_CACHE,
    tag=f"{words.PACKAGE_MANAGER}yarn",
    variables=_of_classic,
)
BERRY = Tool(
    name="berry",
    packages={OLDEST_BERRY: "@yarnpkg/cli-dist"},
    unpack=_unpack("berry"),
    cache=_CACHE,
    tag=f"{words.PACKAGE_MANAGER}berry",
    variables=_of_berry,
    # Corepack takes this file alone.
    checked="package/bin/yarn.js",
)
