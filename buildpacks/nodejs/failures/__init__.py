"""The catalogue: why a step of a build, or an app's start, has failed, and what to do about it.

`causes` is the table in its order, a module a subject; `classify` asks it. docs/failures.md is the
same for people, and `page` makes it.
"""

from buildpacks.nodejs.failures.classify import classify, noticed

__all__ = ["classify", "noticed"]
