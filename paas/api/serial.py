"""Shapes that several resources share: moments, references to apps and accounts, URLs."""

import uuid
from datetime import UTC, datetime

from paas.apps.account import OWNER
from paas.apps.apps import App
from paas.settings import Settings

REGION = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "region.smartplatform")), "name": "local"}


def moment(value: datetime) -> str:
    """RFC 3339 in UTC, with microseconds so that order by time is order of events."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def derived_id(*parts: str) -> str:
    """A uuid for what Heroku gives one and we know by its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(parts)))


def app_reference(app: App) -> dict[str, str]:
    return {"id": app.id, "name": app.name}


def user_reference(email: str) -> dict[str, str]:
    id = OWNER.id if email == OWNER.email else derived_id("user", email)
    return {"id": id, "email": email}


def stack_reference(name: str) -> dict[str, str]:
    return {"id": derived_id("stack", name), "name": name}


def git_url(app: App, settings: Settings) -> str:
    return f"http://localhost:{settings.control_port}/{app.name}.git"


def ssh_git_url(app: App, settings: Settings) -> str | None:
    """None where git is not served over SSH."""
    if not settings.ssh_port:
        return None
    port = "" if settings.ssh_port == 22 else f":{settings.ssh_port}"
    return f"ssh://git@{settings.base_domains[0]}{port}/{app.name}.git"
