"""An app's log: written as files by those who have something to say, merged when it is read.

    machines/<machine uuid>.log   what the app prints, by conmon
    router/<app id>.log           access lines, by the router
    apps/<app id>.log             what the platform did, by `append` and `note`

There is no collector process, so nothing is lost when one of ours is killed. `read` and `follow`
merge by time; a `Delivery` brings lines to a drain elsewhere; `prune` keeps the files small. Which
machines an app has is the caller's matter.
"""

from paas.logs.delivery import Delivery, Status, Target
from paas.logs.line import Filter, LogLine
from paas.logs.merge import read
from paas.logs.platform_lines import append, note
from paas.logs.retention import prune
from paas.logs.tail import Follower, follow

__all__ = [
    "Delivery",
    "Filter",
    "Follower",
    "LogLine",
    "Status",
    "Target",
    "append",
    "follow",
    "note",
    "prune",
    "read",
]
