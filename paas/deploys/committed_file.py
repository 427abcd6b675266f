"""A file of a commit in which an app says something of itself. Blocks."""

from gitserver import trees
from paas.apps import roots
from paas.apps.apps import App
from paas.apps.releases import Release
from paas.platform.platform import Platform

_FILE_BYTES_MAX = 1024 * 1024


def read(
    platform: Platform, app: App, commit: str, current: Release | None, file: str
) -> bytes | None:
    """Of the app's folder, or else of the repository's root."""
    path = platform.settings.repository(app.id)
    root = roots.of(app.root, current.config if current else {})
    if trees.resolve(path, commit) is None:
        return None
    names = dict.fromkeys((f"{root}/{file}".lstrip("/"), file))
    try:
        found = (trees.read_file(path, commit, name, _FILE_BYTES_MAX) for name in names)
        return next((content for content in found if content is not None), None)
    except ValueError:
        # Over every limit: enough of it to be refused as that.
        return b" " * _FILE_BYTES_MAX
