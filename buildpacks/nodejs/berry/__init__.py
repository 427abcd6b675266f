"""Yarn from its second major on (Berry): node_modules, Plug'n'Play, zero-installs."""

from buildpacks.nodejs.berry.berry import BERRY

__all__ = ["BERRY"]
