"""Which script of package.json builds the app: `build`, Heroku's, or one that has another name."""

from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import development

NAMES = ("heroku-postbuild", "build")


def script(package: Manifest, otherwise: tuple[str, ...]) -> str:
    """Its name; empty where there is none.

    `otherwise` is the command that a framework builds with: what runs it under a name of its own,
    as VitePress's `docs:build` or Storybook's `build-storybook` do, is the build script, too.
    """
    named = next((name for name in NAMES if package.scripts.get(name, "").strip()), "")
    if named or not otherwise:
        return named
    found = [name for name in package.scripts if _runs(package, name, otherwise)]
    return next((name for name in found if "build" in name), next(iter(found), ""))


def _runs(package: Manifest, name: str, command: tuple[str, ...]) -> bool:
    """What watches for changes never ends."""
    text = package.scripts[name]
    words = tuple(development.split(text))
    ends = not {"--watch", "-w"} & {*words} and not development.server(text, package.scripts)
    return words[: len(command)] == command and ends
