"""The platform that scenes are played on: that of the apps."""

from tests.apps.conftest import new_app, platform

__all__ = ["new_app", "platform"]
