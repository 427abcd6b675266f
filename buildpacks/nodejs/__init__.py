"""The buildpack for Node.js: package.json, a lock file, Procfile.

`detect(tree)` → is it ours; `plan(tree, …)` → `Plan` or `Refused`; `classify(step, …)` → `Failure`.
The parts: `manifest` (package.json), `package_manager` (what npm and its like are to a build: the
seam; `known` has those there are), `versions` (engines.node), `app` (all that the tree says),
`key` and `scripts` (what has to be installed or run again), `steps`, `processes` (Procfile, start),
`plan` (puts them together), `together` (all that is wrong at once), `failures` (explains a log).
"""

from buildpacks.nodejs.failures import classify, noticed
from buildpacks.nodejs.known import named, path
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.plan import Needs, detect, needs, plan
from buildpacks.nodejs.scripts import chosen

__all__ = [
    "ManagerOffer",
    "Needs",
    "chosen",
    "classify",
    "detect",
    "named",
    "needs",
    "noticed",
    "path",
    "plan",
]
