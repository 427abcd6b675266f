"""The buildpack for Deno: deno.json, deno.lock, tasks, Procfile.

`detect(tree)` → is it Deno's; `plan(tree, …)` → `Plan` or `Refused`. The parts: `configuration`
(deno.json and what stands beside it), `processes` (Procfile, tasks, files), `entries` (the modules
that commands begin with), `plan` (puts them together), `failures` (explains a log). An app of
package.json that npm or the like installs is Node.js's, whatever its commands call.
"""

from buildpacks.deno.plan import NAME, detect, plan

__all__ = ["NAME", "detect", "plan"]
