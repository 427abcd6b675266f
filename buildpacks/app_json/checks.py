"""`healthchecks` of app.json, as Dokku has them: what of a check can be asked here."""

import re
from collections.abc import Iterator

from buildpacks.app_json.declared import Check
from buildpacks.app_json.fields import Field
from buildpacks.findings import Notice

_PATH = re.compile(r"/[!-\"$-~]{0,1023}")
_TYPES = ("startup", "readiness", "liveness")
_ASKED = ("path", "type", "name", "description")


def read(field: Field) -> tuple[dict[str, Check], list[Notice]]:
    """Of each process type the first check with a path. Raises Refused for what is none."""
    found: dict[str, Check] = {}
    left: list[str] = []
    for type_ in field.object():
        for check in type_.list():
            path = _path(check)
            if path and type_.name not in found and type_.name == "web":
                found[type_.name] = Check(path)
                left += _left(check)
            else:
                left.append(check.path)
    return found, list(_said(left))


def _path(check: Field) -> str:
    kind = check.get("type").text() or "startup"
    if kind not in _TYPES:
        raise check.get("type").wrong(f"one of {', '.join(_TYPES)}")
    path = check.get("path").text()
    if path and not _PATH.fullmatch(path):
        raise check.get("path").wrong("a path such as /health")
    for name in ("attempts", "timeout", "wait", "initialDelay", "uptime"):
        check.get(name).whole(86_400)
    return path


def _left(check: Field) -> Iterator[str]:
    return (each.path for each in check.object() if each.name not in _ASKED)


def _said(left: list[str]) -> Iterator[Notice]:
    if left:
        shown = ", ".join(left[:6]) + (f" and {len(left) - 6} more" if len(left) > 6 else "")
        yield Notice(
            "app_json_checks",
            f"app.json: {shown} {'does' if len(left) == 1 else 'do'} nothing here",
            "One path of web is asked of each of its instances, all the time: 2xx and 3xx are "
            "healthy. How long a start may take says the operator's boot_timeout_s.",
        )
