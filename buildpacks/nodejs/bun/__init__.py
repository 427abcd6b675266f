"""Bun: a package manager (`bun`), and what runs the programs of an app that call it (`app`)."""

from buildpacks.nodejs.bun.bun import BUN

__all__ = ["BUN"]
