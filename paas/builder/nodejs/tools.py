"""The package managers that the builder can handle: those that the buildpacks know."""

from collections.abc import Mapping

from paas.builder.nodejs.bun import BUN
from paas.builder.nodejs.npm import NPM
from paas.builder.nodejs.pnpm import PNPM
from paas.builder.nodejs.tool import Tool
from paas.builder.nodejs.yarn import BERRY, YARN
from paas.builder.runtimes.deno import DENO

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in (NPM, PNPM, YARN, BERRY, BUN, DENO)}
