"""Other people's buildpacks, of Heroku's classic interface: detect, compile and release in `bin`.

https://devcenter.heroku.com/articles/buildpack-api. `names` says what an app's list of buildpacks
means, `plan` what is known of a build before they run, `said` what their programs answer. Who runs
them is the builder.
"""

from buildpacks.classic.names import OURS, Buildpack, Kind, parse
from buildpacks.classic.order import Order, order
from buildpacks.classic.plan import plan
from buildpacks.classic.said import differences, processes, types

__all__ = [
    "OURS",
    "Buildpack",
    "Kind",
    "Order",
    "differences",
    "order",
    "parse",
    "plan",
    "processes",
    "types",
]
