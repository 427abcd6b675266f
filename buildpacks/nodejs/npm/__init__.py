"""npm: the package manager of apps that name no other."""

from buildpacks.nodejs.npm.npm import NPM

__all__ = ["NPM"]
