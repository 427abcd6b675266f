"""The buildpack for Node.js: package.json, npm's lock file, Procfile.

`detect(tree)` → is it ours; `plan(tree, …)` → `Plan` or `Refused`; `classify(step, …)` → `Failure`.
The parts: `manifest` (package.json), `lockfile`, `versions` (engines.node), `npm` (engines.npm),
`procfile`, `start` (commands without npm in between), `plan` (puts them together), `failures`
(explains a log), `usage` (takes npm's usage text out of one).
"""

from buildpacks.nodejs.failures import classify
from buildpacks.nodejs.npm import Npm, NpmOffer
from buildpacks.nodejs.plan import Plan, Previous, Process, Step, detect, plan
from buildpacks.nodejs.usage import WithoutUsage
from buildpacks.nodejs.versions import Runtime

__all__ = [
    "Npm",
    "NpmOffer",
    "Plan",
    "Previous",
    "Process",
    "Runtime",
    "Step",
    "WithoutUsage",
    "classify",
    "detect",
    "plan",
]
