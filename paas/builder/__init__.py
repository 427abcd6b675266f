"""From a pushed commit to an image: runs a buildpack's plan in a build zone.

`build` makes an app's image and its next trunk, `discard` deletes all that was made for an app,
`sweep` what a crash left behind. What is to be done says the buildpack; zones and images are the
node's; releases are others' matter.
"""

from paas.builder.build import Built, build
from paas.builder.sweeping import discard, sweep
from paas.builder.work import BuildFailed, Work

__all__ = ["BuildFailed", "Built", "Work", "build", "discard", "sweep"]
