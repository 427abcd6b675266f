"""Signs that an app keeps what it knows in files of its own, which vanish with the next release."""

import re
from collections.abc import Iterator

from buildpacks.findings import Notice
from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree

_LIBRARIES = (
    *("better-sqlite3", "sqlite3", "sqlite", "sql.js", "@prisma/adapter-better-sqlite3"),
    *("lowdb", "nedb", "nedb-promises", "@seald-io/nedb", "lokijs", "node-json-db"),
    *("level", "classic-level", "lmdb", "node-persist", "keyv-file", "session-file-store"),
    *("@payloadcms/db-sqlite", "quick.db", "connect-sqlite3", "better-sqlite3-session-store"),
)
"""Databases in a file, and stores of sessions in files."""
_UPLOADS = ("multer", "formidable", "express-fileupload", "tus-node-server", "@tus/file-store")
_FOLDERS = ("", "data", "db", "database", "prisma", "storage")
_DATABASE = re.compile(r".+\.(?:sqlite3?|db|db3)")
_UPLOAD_FOLDERS = ("uploads/", "upload/")
_SCHEMAS = ("prisma/schema.prisma", "schema.prisma")
_SCHEMA_BYTES_MAX = 256 * 1024


def notices(tree: Tree, package: Manifest) -> list[Notice]:
    """At most one: what was seen, and what to do before visitors' data are lost."""
    seen = list(dict.fromkeys(_seen(tree, package)))
    if not seen:
        return []
    return [
        Notice(
            "files_vanish",
            f"files that the app writes are gone with its next release or restart; "
            f"it seems to keep some ({', '.join(seen[:3])})",
            "Keep data in a database or an object store and name that in a config var: "
            "paas config:set DATABASE_URL=…",
        )
    ]


def _seen(tree: Tree, package: Manifest) -> Iterator[str]:
    yield from (name for name in (*_LIBRARIES, *_UPLOADS) if name in package.dependencies)
    for schema in _SCHEMAS:
        content = tree.read(schema, _SCHEMA_BYTES_MAX) or b""
        if re.search(rb'provider\s*=\s*"sqlite"', content):
            yield f"sqlite in {schema}"
    for folder in _FOLDERS:
        for name in tree.names(folder):
            if _DATABASE.fullmatch(name) and name != "Thumbs.db":
                yield f"{folder}/{name}" if folder else name
    for folder in ("", "public", "static"):
        for name in tree.names(folder):
            if name in _UPLOAD_FOLDERS:
                yield f"{folder}/{name}" if folder else name
