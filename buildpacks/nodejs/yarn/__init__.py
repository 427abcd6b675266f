"""Yarn classic: its first major."""

from buildpacks.nodejs.yarn.yarn import YARN

__all__ = ["YARN"]
