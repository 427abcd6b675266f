"""pnpm, 6 to 12."""

from buildpacks.nodejs.pnpm.pnpm import PNPM

__all__ = ["PNPM"]
