"""Bun as a package manager: the app itself is run by Node.js."""

from buildpacks.nodejs.bun.bun import BUN

__all__ = ["BUN"]
