"""app.json: what an app says of itself to a platform, as Heroku and Dokku read it.

`read(tree)` → `AppJson`, checked, with a notice for each part that does nothing here; None where
there is no such file, or it is another tool's. The parts: `fields` (a value and the path to it, for
messages), `checks` (healthchecks), `without_effect` (what is only named), `file` (all of it).
"""

from buildpacks.app_json.declared import AppJson, Check, Cron, Size, Variable
from buildpacks.app_json.file import FILE, parse

__all__ = ["FILE", "AppJson", "Check", "Cron", "Size", "Variable", "parse"]
