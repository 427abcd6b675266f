"""Crons that an app.json declares go with its releases, so that a rollback takes them back as well.

A push has read them already (`paas.deploys.declaration`); this is for a release of before.
"""

import asyncio

from buildpacks import app_json
from buildpacks.findings import Refused
from gitserver import trees
from paas.apps import declared
from paas.apps.apps import App
from paas.apps.crons import Given
from paas.apps.releases import Release
from paas.deploys import committed_file
from paas.errors import UserError
from paas.platform.platform import Platform


async def of(platform: Platform, app: App, release: Release) -> tuple[Given, ...] | None:
    """None where it can't be known: then those of now stay."""
    return await asyncio.to_thread(_of, platform, app, release)


def _of(platform: Platform, app: App, release: Release) -> tuple[Given, ...] | None:
    commit = release.commit
    if not commit or trees.resolve(platform.settings.repository(app.id), commit) is None:
        return None
    content = committed_file.read(platform, app, commit, release, app_json.FILE)
    try:
        found = None if content is None else app_json.parse(content)
        return declared.crons(found.crons if found else ())
    except (Refused, UserError):
        return None
