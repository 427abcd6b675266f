"""Servers that bring a database, an editor or a build of their own: what people run whole."""

from tests.apps.generated import LOCK
from tests.apps.whole import Whole, starter

_IGNORED = "node_modules\n"
ADONIS = Whole(
    title="AdonisJS 6 (its slim starter)",
    package="@adonisjs/core",
    name="adonis",
    commands=(LOCK,),
    change=("start/routes.ts", "It works!", "Second version"),
    before="It works!",
    after="Second version",
    files={**starter("adonis"), ".gitignore": _IGNORED + "build\n.env\n"},
    is_refused_first=True,
    fills=(
        ("APP_KEY=<value>", "APP_KEY=sQbOm3mO8oqkbCBrAoCM4zJQH9nYmYt9"),
        ("HOST=<value>", "HOST=0.0.0.0"),
        ("LOG_LEVEL=<value>", "LOG_LEVEL=info"),
    ),
    needed="unchanged; the config vars that it was said to lack",
)
GHOST = Whole(
    title="Ghost (its archive at npm, SQLite)",
    package="ghost",
    name="ghost",
    generator="npm pack --silent ghost@6.65.0 && tar -xzf ghost-6.65.0.tgz && mv package app",
    commands=(),
    change=("content/themes/source/home.hbs", "\\Z", "<p>Second version</p>\n"),
    before="Coming soon",
    after="Second version",
    config=(
        "url=http://localhost",
        "server__host=0.0.0.0",
        "server__port=3000",
        "database__client=sqlite3",
        "database__connection__filename=/tmp/ghost.db",
        "database__useNullAsDefault=true",
        'logging__transports=["stdout"]',
    ),
)
DIRECTUS = Whole(
    title="Directus (SQLite)",
    package="directus",
    name="directus",
    commands=(
        "npm init -y && npm pkg delete main type && npm pkg set "
        "scripts.start='directus bootstrap && directus start' dependencies.directus=12.4.0 "
        "dependencies.sqlite3=^5",
        LOCK,
    ),
    change=("Procfile", "First", "Second"),
    before="First version",
    after="Second version",
    path="/admin/login",
    files={
        "Procfile": "web: env PROJECT_NAME='First version' npm start\n",
        ".gitignore": _IGNORED + "uploads\n",
    },
    config=(
        "SECRET=9d2bd2f2e6a04b1c8d7a7f5c",
        "DB_CLIENT=sqlite3",
        "DB_FILENAME=/tmp/data.db",
        "ADMIN_EMAIL=admin@example.com",
        "ADMIN_PASSWORD=d1r3ctu5",
    ),
)
PAYLOAD = Whole(
    title="Payload (its blank template, SQLite)",
    package="payload",
    name="payload",
    commands=(LOCK,),
    change=("src/app/(frontend)/page.tsx", "Welcome to your new project.", "Second version"),
    before="Welcome to your new project.",
    after="Second version",
    files={**starter("payload"), ".gitignore": _IGNORED + ".next\n.env\n/media\n*.db\n"},
    config=(
        "PAYLOAD_SECRET=5f2b8f6e1f0d4c3a",
        "DATABASE_URL=file:/tmp/app.db",
        "BUILD_MEMORY_MIB=4096",
    ),
)
LARGE = (ADONIS, GHOST, DIRECTUS, PAYLOAD)
