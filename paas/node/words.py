"""The words of the node's contract (docs/contracts/node.md): keys of metadata, names of tags.

Who makes machines and images writes them by these names; nobody spells them a second time.
"""

STACK = "smartplatform:stack"
"""In a machine's metadata and an image's tags: the image mounted at `/usr`, by its uuid."""
RUNTIME = "smartplatform:runtime"
"""The same of the image mounted at `/opt/node`: Node.js."""
RUNTIMES = {
    "node": RUNTIME,
    "bun": "smartplatform:runtime:bun",
    "deno": "smartplatform:runtime:deno",
}
"""Of each runtime that a machine may have: where it is mounted (`/opt/<name>`), and the key."""

PORT = "smartplatform:port"
HEALTH = "smartplatform:health"
"""The URL that a machine with a port must answer well (2xx, 3xx) before it counts as ready."""
UNHEALTHY = "unhealthy "
"""Begins `unreachable.answer` of one that answers that with another status, which follows."""
CLASS = "smartplatform:class"
PLACE = "smartplatform:place"
"""Which instance a machine is: a new release's and the one that it replaces are promised once."""

COMMAND = "docker:cmd"
ENVIRONMENT = "docker:env"
FOLDER = "docker:workdir"
USER = "docker:user"
RESTART_POLICY = "docker:restartpolicy"

MACHINES, RUNS, BUILDS = "machines", "runs", "builds"
"""The classes of machines: what `CLASS` may be, and the names of their cgroups."""

APP = "smartplatform:app"
ACCOUNT = "smartplatform:account"
"""Of images that all apps of an account may be built from."""
BUILD = "smartplatform:build"
INSTANCE = "smartplatform:instance"
RELEASE = "smartplatform:release"

ROLE = "smartplatform:role"
VARIANT = "smartplatform:variant"
VERSION = "smartplatform:version"
COMMIT = "smartplatform:commit"
LOCK_KEY = "smartplatform:lock-key"
SCRIPTS = "smartplatform:scripts"
REPEATED_SCRIPTS = "smartplatform:repeated-scripts"
APT = "smartplatform:apt"
BUILDPACKS = "smartplatform:buildpacks"
IGNORED = "smartplatform:ignored"
PRUNED = "smartplatform:pruned"
REHEARSED = "smartplatform:rehearsed"
NPM = "smartplatform:npm"
PACKAGE_MANAGER = "smartplatform:package-manager:"
"""Begins the key of any other package manager, whose name follows."""

SHARES_PER_CORE = 1024
"""`cpu_shares` that stand for one core."""
