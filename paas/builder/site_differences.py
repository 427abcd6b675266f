"""A site that nothing builds, by differences: what its web server is told stays as it was, and the
changed texts are compressed anew. Where that is not so, a zone does it (`site`).
"""

import gzip
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from buildpacks.plan import Site
from buildpacks.static import COMPRESSED_FROM_BYTES, CONFIGURATION, TEXTS
from gitserver import trees
from paas.builder.checkout import Checkout

_PRESENCE = ("index.html", "404.html", "200.html")
"""Files by which folders and special pages are found: that they are there is what counts."""
_CONTENT = ("_redirects", "_headers", "static.json", "netlify.toml", "vercel.json")
_LEVEL = 9
_TEXTS_BYTES_MAX = 4 * 1024**2
"""All together: compressing takes its time in the platform's own process."""
_FILE_BYTES_MAX = 64 * 1024**2
_SIBLINGS = (b".gz", b".br")


def applied(site: Site, before: str, commit: str, given: Checkout, texts: Path) -> Checkout | None:
    """What turns the site's image into the next; None where that needs more. Blocks.

    `texts` is an empty folder of the host's, for what is compressed.
    """
    if given.large or not _is_told_the_same(before, commit, given):
        return None
    changed = {entry.path for entry in given.files}
    known = {entry.path for entry in trees.entries(given.repository, commit)}
    stale = tuple(
        path + ending
        for path in sorted(changed | set(given.deleted))
        for ending in _SIBLINGS
        if path + ending not in known
    )
    made: list[trees.Entry] = []
    elsewhere: dict[bytes, Path] = {}
    left_bytes = _TEXTS_BYTES_MAX
    for entry, content in _texts(site, commit, given):
        left_bytes -= len(content)
        if left_bytes < 0:
            return None
        place = texts / str(len(made))
        place.write_bytes(gzip.compress(content, _LEVEL, mtime=0))
        made.append(replace(entry, path=entry.path + _SIBLINGS[0]))
        elsewhere[made[-1].path] = place
    return replace(
        given,
        files=(*given.files, *made),
        deleted=(*given.deleted, *stale),
        large=elsewhere,
    )


def _is_told_the_same(before: str, commit: str, given: Checkout) -> bool:
    old, new = (list(trees.entries(given.repository, each)) for each in (before, commit))
    if any(entry.is_symlink for entry in (*old, *new)):
        # Links are gone from an image: they have become what they led to.
        return False
    moved = {entry.path for entry in old} ^ {entry.path for entry in new}
    touched = {entry.path for entry in given.files} | set(given.deleted)
    own = posixpath.basename(CONFIGURATION)
    return not (_names(moved) & {*_PRESENCE} or _names(touched) & {*_CONTENT, own})


def _names(paths: set[bytes]) -> set[str]:
    return {posixpath.basename(path).decode("utf-8", "replace") for path in paths}


def _texts(site: Site, commit: str, given: Checkout) -> Iterator[tuple[trees.Entry, bytes]]:
    """Changed files that are compressed, with their contents."""
    folder = f"{site.folders[0]}/".encode() if site.folders[0] else b""
    endings = tuple(f".{ending}".encode() for ending in TEXTS)
    for entry in given.files:
        if not entry.is_file or not entry.path.startswith(folder):
            continue
        if entry.path.lower().endswith(endings):
            content = trees.read_file(given.repository, commit, entry.path, _FILE_BYTES_MAX)
            if content is not None and len(content) > COMPRESSED_FROM_BYTES:
                yield entry, content
