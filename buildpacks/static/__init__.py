"""The buildpack for sites: files that a web server (nginx) serves as they are.

`detect(tree)` → HTML files and no app; `plan(tree, …)` → `Plan`. Sites that a framework builds are
found by its language's buildpack, as `buildpacks.plan.Site` in its plan. Either way, once all is
built, `configuration(site, seen)` is what the server is told; `process(site)` starts it.
"""

from buildpacks.static.configuration import Configuration, configuration
from buildpacks.static.plan import detect, plan
from buildpacks.static.seen import COMPRESSED_FROM_BYTES, LOOK, TEXTS, Seen, lost, read
from buildpacks.static.server import CONFIGURATION, LISTEN, process

__all__ = [
    "COMPRESSED_FROM_BYTES",
    "CONFIGURATION",
    "LISTEN",
    "LOOK",
    "TEXTS",
    "Configuration",
    "Seen",
    "configuration",
    "detect",
    "lost",
    "plan",
    "process",
    "read",
]
