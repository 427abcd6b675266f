"""The commands of dev dependencies, where a lock file does not tell which package brings which."""

from buildpacks.nodejs.manifest import Manifest

_COMMANDS = {
    "@angular/cli": "ng",
    "@nestjs/cli": "nest",
    "@vue/cli-service": "vue-cli-service",
    "@react-router/dev": "react-router",
    "@remix-run/dev": "remix",
    "@11ty/eleventy": "eleventy",
    "@docusaurus/core": "docusaurus",
    "typescript": "tsc",
    "webpack-cli": "webpack",
}
"""Most others are called as their package."""


def guessed(package: Manifest) -> dict[str, str]:
    """Command → package, for those that are gone once dev dependencies are."""
    gone = [name for name in package.dev_dependencies if name not in package.dependencies]
    found = {_COMMANDS.get(name, name): name for name in gone}
    return {command: name for command, name in found.items() if "/" not in command}
