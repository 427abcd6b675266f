"""Deno for builds and instances: a binary, in a package of its own for each kind of processor."""

from collections.abc import Mapping
from functools import cache

from buildpacks.deno.plan import NAME
from paas.builder.nodejs import npmrc, registry
from paas.builder.nodejs.tool import Tool
from paas.node import words
from paas.settings import Settings

OLDEST = "2.0.0"
_UNPACK = """
set -e
mkdir -p /opt/deno/bin
cd /opt/deno
tar -x -z -f - -C bin --strip-components=1 --no-same-owner package/deno
chmod 755 bin/deno
"""


@cache
def _package() -> str:
    return f"@deno/linux-{registry.architecture()}-glibc"


def _variables(settings: Settings) -> Mapping[str, str]:
    found = npmrc.registry(settings)
    return {
        "DENO_TLS_CA_STORE": "system",
        "DENO_NO_UPDATE_CHECK": "1",
        "DENO_NO_PROMPT": "1",
        "NO_COLOR": "1",
        **({"NPM_CONFIG_REGISTRY": found} if found else {}),
    }


DENO = Tool(
    name=NAME,
    packages={OLDEST: _package()},
    unpack=_UNPACK,
    cache="/var/tmp/deno",
    tag=f"{words.PACKAGE_MANAGER}deno",
    variables=_variables,
    is_runtime=True,
)
