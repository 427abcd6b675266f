"""Development servers: start commands that are no way to serve visitors, and what to run instead.

They rebuild the app while it runs, take many times the memory, and their packages are dev
dependencies, which are gone when the app starts. A table of what makers' generators write.
"""

import re
import shlex
from collections.abc import Collection, Mapping

from buildpacks.nodejs.processes import start

# The words after which a command serves for development; an empty tuple: always.
_SERVERS: Mapping[str, tuple[str, ...]] = {
    "astro": ("dev",),
    "browser-sync": (),
    "bun": ("--hot", "--watch"),
    "deno": ("--watch", "--watch-hmr"),
    "docusaurus": ("start",),
    "ember": ("serve", "s", "server"),
    "eleventy": ("--serve", "--watch"),
    "expo": ("start",),
    "gatsby": ("develop",),
    "live-server": (),
    "nest": ("start",),
    "ng": ("serve", "s", "dev"),
    "nodemon": (),
    "nuxi": ("dev",),
    "nuxt": ("dev",),
    "nx": ("serve", "dev"),
    "react-router": ("dev",),
    "react-scripts": ("start",),
    "remix": ("dev", "vite:dev"),
    "storybook": ("dev",),
    "strapi": ("develop", "dev"),
    "svelte-kit": ("dev",),
    "ts-node-dev": (),
    "tsnd": (),
    "tsx": ("watch",),
    "turbo": ("dev",),
    "vinxi": ("dev",),
    "vue-cli-service": ("serve",),
    "webpack": ("serve",),
    "webpack-dev-server": (),
}
_ALWAYS_SERVES = {
    "next": ("build", "start", "export", "lint", "info", "telemetry", "typegen", "upgrade"),
    "vite": ("build", "preview", "optimize"),
    "vp": ("build", "preview"),
    "parcel": ("build",),
}
"""These serve for development unless one of the words follows."""
_PREVIEWS: Mapping[str, tuple[str, ...]] = {
    "astro": ("preview",),
    "docusaurus": ("serve",),
    "gatsby": ("serve",),
    "vite": ("preview",),
    "vitepress": ("preview", "serve"),
    "vp": ("preview",),
}
"""These show a developer what was built; some answer no host name but localhost."""
_PREFIXES = frozenset(("npx", "exec", "env", "cross-env", "dotenv", "--", "pnpm", "yarn", "bunx"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# fmt: off
_BETTER = (
    "start:prod", "start:production", "serve:ssr", "start:server", "serve:prod", "prod",
    "production", "serve",
)
# fmt: on
_DEPTH_MAX = 8


def server(command: str, scripts: Mapping[str, str]) -> str:
    """`nest start` for a command that ends in one, by way of `npm run` too; else nothing."""
    for words in _commands(start.unwrapped(command, scripts)[1]):
        found = _server(words)
        if found:
            return found
    return ""


def unfit(command: str, scripts: Mapping[str, str]) -> str:
    """The same for what only previews what was built, too."""
    for words in _commands(start.unwrapped(command, scripts)[1]):
        name = words[0].rpartition("/")[2]
        verb = next((word for word in words[1:] if word in _PREVIEWS.get(name, ())), "")
        if verb:
            return f"{name} {verb}"
    return server(command, scripts)


def programs(command: str, scripts: Mapping[str, str], depth: int = 0) -> list[str]:
    """The programs without any of which a command fails, as far as it can be read."""
    before, command = start.unwrapped(command.strip(), scripts)
    found: list[str] = []
    for text in (*before, command):
        if re.search(r"\|\||[;|&]", text.replace("&&", " ")):
            continue
        for part in text.split("&&"):
            script = start.script_name(part, scripts)
            if script and depth < _DEPTH_MAX:
                found += programs(part, scripts, depth + 1) if scripts.get(script) else []
            else:
                found += _programs(part)
    return found


def better_script(scripts: Mapping[str, str], gone: Collection[str]) -> str:
    """The script that serves what was built, where one stands beside; else nothing.

    `gone` are the commands that are not there when the app starts.
    """
    for wanted in _BETTER:
        for name, text in scripts.items():
            fits = name == wanted or name.startswith(f"{wanted}:")
            if fits and not unfit(text, scripts) and not {*programs(text, scripts)} & {*gone}:
                return name
    return ""


def _server(words: list[str]) -> str:
    if not words:
        return ""
    name, rest = words[0].rpartition("/")[2], words[1:]
    if name == "node" and any(word.split("=")[0] in ("--watch", "--watch-path") for word in rest):
        return "node --watch"
    if name in _ALWAYS_SERVES:
        verb = rest[0] if rest and not rest[0].startswith("-") else ""
        return "" if verb in _ALWAYS_SERVES[name] else f"{name} {verb}".rstrip()
    if name not in _SERVERS:
        return ""
    if not _SERVERS[name]:
        return name
    verb = next((word for word in rest if word in _SERVERS[name]), "")
    return f"{name} {verb}" if verb else ""


def split(text: str) -> list[str]:
    """The words of one command, assignments before it left out."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    return words


def _commands(text: str) -> list[list[str]]:
    """The words of each command of a line, without what only starts another."""
    found = []
    for part in re.split(r"&&|\|\||[;|&\n]", text):
        words = split(part)
        while words and (_ASSIGNMENT.match(words[0]) or words[0] in _PREFIXES):
            words = words[1:]
        found += [words] if words else []
    return found


def _programs(part: str) -> list[str]:
    """One command's program, and those that start it."""
    found = []
    for word in split(part):
        if not _ASSIGNMENT.match(word) and not word.startswith("-"):
            found.append(word)
            if word not in _PREFIXES:
                break
    return found
