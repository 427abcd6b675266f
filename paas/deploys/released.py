"""What a push says at its end: where the release answers, and what of it runs nowhere. Pure."""

from collections.abc import Collection

from buildpacks import output
from paas.apps.formation import Formation
from paas.apps.processes import RELEASE_COMMAND, WEB
from paas.apps.releases import Release


def lines(release: Release, formation: Formation, address: str, known: Collection[str]) -> str:
    """`known` are the process types that the app's release before had."""
    counts = {entry.type: entry.quantity for entry in formation}
    types = [type for type in release.processes if type != RELEASE_COMMAND]
    idle = [type for type in types if not counts.get(type, 0)]
    shown = f"Released {release.name}" + (f": {address}" if counts.get(WEB) else "")
    said = output.result(shown)
    if WEB in idle:
        said += output.detail(f"web has no instance: {address} answers when it has one")
    elif WEB not in types:
        said += output.detail("It has no web process, so it answers no requests")
    # Whoever scaled a type to 0 knows; that a new one begins with none is Heroku's rule.
    told = [type for type in idle if type not in known or len(idle) == len(types) or type == WEB]
    if told:
        first = f"{', '.join(told)} run{'s' if len(told) == 1 else ''} nowhere yet; to start"
        words = " ".join(f"{type}=1" for type in told)
        said += output.detail(f"{first}: paas ps:scale {words}")
    return said
