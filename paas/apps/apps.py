"""An app: what a developer pushes. Rules for its name; whether one is taken, the store knows."""

import difflib
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from paas.apps.postdeploy import State
from paas.errors import NotFound, UserError

DEFAULT_STACK = "smartmachine"
NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")
RESERVED_NAMES = frozenset(
    {"api", "apps", "assets", "auth", "console", "control", "git", "internal", "localhost"}
    | {"logs", "metrics", "node", "paas", "platform", "router", "smartplatform", "static", "www"}
)

_ADJECTIVES = (
    "agile airy amber ample arctic azure balmy bold brave breezy bright brisk calm clear clever "
    "cosy crimson crisp dawn deep dewy early eager fair fleet fresh gentle glad golden grand "
    "green happy hardy hidden high icy jolly keen kind late light lively lucid lunar mellow mild "
    "misty noble open pale placid plain polar proud quick quiet rapid ready rosy rustic sandy "
    "serene sharp shiny silent silver smooth snowy soft solar still stout sunny swift tidy "
    "vast vivid warm wide wild windy wise witty young"
)
_NOUNS = (
    "bay beach birch bird bloom breeze brook bush canyon cape cedar cliff cloud coast cove creek "
    "dale dawn delta dew dune elm falcon fern field finch fjord flower fog forest fox frost "
    "glade glen grove harbor hawk heath heron hill island lagoon lake lark leaf ledge lynx marsh "
    "meadow mesa mist moon moor moss mountain oak ocean orchard otter peak pebble pine plain pond "
    "prairie rain reef ridge river robin rock sea shore sky snow spring star stone storm stream "
    "summit sun surf thicket thunder tide trail tree vale valley wave willow wind wood"
)


@dataclass(frozen=True)
class App:
    """`id` is a uuid and stays when the name changes; `owner` is the e-mail of an account.

    `routing` has the routing settings that are not the default (`paas.apps.routing`), `root` the
    folder of the repository that is the app; empty for all of it (`paas.apps.roots`);
    `deploy_branch` is empty for main and master (`paas.apps.branches`). `buildpacks` are those that
    it names (`paas.apps.buildpacks`), `buildpacks_declared` says that app.json does. `supersede`: a
    newer push takes the place of those that wait.
    """

    id: str
    name: str
    owner: str
    created_at: datetime
    maintenance: bool = False
    stack: str = DEFAULT_STACK
    routing: Mapping[str, Any] = field(default_factory=dict, hash=False)
    root: str = ""
    deploy_branch: str = ""
    postdeploy: State = State.NONE
    buildpacks: tuple[str, ...] = ()
    buildpacks_declared: bool = False
    supersede: bool = False


def check_name(name: str) -> str:
    """The name itself. Raises UserError when it can't name an app (Heroku's rule)."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            "invalid_params",
            f"{name!r} can't name an app",
            "Names start with a letter, have 3 to 30 lower-case letters, digits and dashes, "
            "and do not end with a dash.",
        )
    if name in RESERVED_NAMES:
        raise UserError(
            "invalid_params", f"The name {name} is reserved for the platform", "Use another one."
        )
    return name


def random_name(choice: random.Random | None = None) -> str:
    """A name such as `calm-river-1234`."""
    choice = choice or random.SystemRandom()
    adjective, noun = choice.choice(_ADJECTIVES.split()), choice.choice(_NOUNS.split())
    return f"{adjective}-{noun}-{choice.randrange(1000, 10000)}"


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The existing name that was probably meant, or None when none is like it."""
    matches = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_app(name: str, names: Iterable[str]) -> NotFound:
    """The error for a name that no app has; `names` are those the asker may see."""
    nearest = nearest_name(name, names)
    hint = f"Did you mean {nearest}?" if nearest else f"To make it: paas create {name}"
    return NotFound(f"Couldn't find the app {name!r}.", hint)
