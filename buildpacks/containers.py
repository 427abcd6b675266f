"""Files that say how other platforms build or run an app: named, as they do nothing here."""

import json
import re
import shlex
from collections.abc import Sequence

from buildpacks.tree import Tree

DOCKERFILES = ("Dockerfile", "Containerfile")
_OTHERS = (
    *("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml", "fly.toml"),
    *("heroku.yml", "render.yaml", "railway.json", "railway.toml", "nixpacks.toml"),
    *("captain-definition", "skaffold.yaml", "app.yaml"),
)
_FILE_BYTES_MAX = 64 * 1024
_COMMAND_CHARACTERS_MAX = 200
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE)
_COMMAND = re.compile(r"\s*(?:CMD|ENTRYPOINT)\s+(.+)", re.IGNORECASE)


def named(names: Sequence[str]) -> list[str]:
    """Those of the names that are such files."""
    return [name for name in (*DOCKERFILES, *_OTHERS) if name in names]


def hint(tree: Tree, found: Sequence[str]) -> str:
    """The shortest way to run here what they describe."""
    name = next((name for name in found if name in DOCKERFILES), "")
    text = (tree.read(name, _FILE_BYTES_MAX) or b"").decode("utf-8", "replace") if name else ""
    base = _last(_FROM, text)
    if base and "node" not in base.rpartition("/")[2].partition(":")[0]:
        return (
            f"{name} begins with {base[:60]}, which is not Node.js: only Node.js apps run here. "
            "Where the image is run as it is, it needs a platform for containers."
        )
    command = _command(_last(_COMMAND, text)) or "node server.js"
    return (
        "For a Node.js app these commands do: npm init -y && "
        f"echo {shlex.quote(f'web: {command}')} > Procfile && "
        "git add package.json Procfile && git commit -m 'Say how to build and start'"
    )


def _last(expression: re.Pattern[str], text: str) -> str:
    """What counts in a Dockerfile of several stages is the last one."""
    joined = re.sub(r"\\\r?\n", " ", text)
    found = [match[1].strip() for line in joined.splitlines() if (match := expression.match(line))]
    return found[-1] if found else ""


def _command(written: str) -> str:
    """`["node", "server.js"]`, or a line of shell; nothing where it can't stand in a Procfile."""
    if written.startswith("["):
        try:
            words = json.loads(written)
            written = shlex.join(words)
        except (ValueError, TypeError, RecursionError):
            return ""
    fits = written.isprintable() and len(written) <= _COMMAND_CHARACTERS_MAX
    return written if fits else ""
