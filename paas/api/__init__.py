"""The API: Heroku's Platform API v3 wire format, one file a resource. Parse, call, serialise.

What an answer means is `paas.apps`' matter, what is done the platform's (see `operations`).
"""

from paas.api.application import application

__all__ = ["application"]
