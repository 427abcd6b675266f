"""The vmadm payload of an instance: pure. Keys of `internal_metadata`: docs/contracts/node.md."""

import json
import posixpath
from typing import Any

from buildpacks import nodejs
from paas.apps import config_vars
from paas.apps.apps import App
from paas.apps.packages import Package, memory_variables
from paas.apps.processes import PORT, WEB
from paas.apps.releases import Command, Release
from paas.node import words

Payload = dict[str, Any]


def instance(
    app: App,
    release: Release,
    *,
    machine_uuid: str,
    name: str,
    package: Package,
    type: str,
    host: str,
) -> Payload:
    """A machine that runs a process type of a release and is started again when it ends.

    Only a web instance gets a port: nothing asks another type for connections. Where there is a
    health path, it is ready when it has answered that well, as a request for `host`.
    """
    payload = _machine(app, release, machine_uuid, name, package, type)
    payload["internal_metadata"] |= {
        words.RESTART_POLICY: "always",
        words.PLACE: f"{app.id}/{name}",
    }
    if type == WEB:
        payload["internal_metadata"][words.PORT] = PORT
        path = app.routing.get("health_path") or release.health_path
        if path:
            payload["internal_metadata"][words.HEALTH] = f"http://{host}{path}"
    return payload


def one_off(
    app: App,
    release: Release,
    *,
    machine_uuid: str,
    name: str,
    package: Package,
    type: str,
    place: str,
) -> Payload:
    """A machine that runs a process type once, before the release's instances are made.

    It is promised what the instance at `place` will be: a full server has room for the next
    release.
    """
    payload = _machine(app, release, machine_uuid, name, package, type)
    payload["internal_metadata"] |= {
        words.RESTART_POLICY: "no",
        words.PLACE: f"{app.id}/{place}",
        words.CLASS: words.RUNS,
    }
    return payload


def idle(payload: Payload) -> Payload:
    """The same machine, with nothing to do but to hold what is run in it.

    Its first process is root's (without a capability): who ends all processes of the app's user
    spares it.
    """
    nothing = {words.COMMAND: json.dumps(["sleep", "infinity"]), words.USER: "root"}
    return {**payload, "internal_metadata": payload["internal_metadata"] | nothing}


def _machine(
    app: App,
    release: Release,
    machine_uuid: str,
    name: str,
    package: Package,
    type: str,
) -> Payload:
    command = release.commands[type]
    environment = _environment(app, release, name, package, command)
    return {
        "uuid": machine_uuid,
        "brand": "lx",
        "docker": True,
        "kernel_version": "5.10.0",
        "alias": f"{app.name}.{name}",
        "hostname": f"{app.name}-{name.replace('.', '-').replace('_', '-')}"[:63],
        "owner_uuid": app.id,
        "image_uuid": release.image_uuid,
        "billing_id": "00000000-0000-0000-0000-000000000000",
        "max_physical_memory": package.max_physical_memory,
        "max_swap": package.max_swap,
        "max_lwps": package.max_lwps,
        "cpu_shares": package.cpu_shares,
        "cpu_cap": package.cpu_cap or 0,
        "zfs_io_priority": package.zfs_io_priority,
        "quota": package.quota,
        "tags": {
            words.INSTANCE: name,
            words.APP: app.id,
            words.RELEASE: release.version,
        },
        "internal_metadata": {
            words.COMMAND: json.dumps(list(command["argv"])),
            words.ENVIRONMENT: json.dumps([f"{key}={value}" for key, value in environment.items()]),
            words.FOLDER: posixpath.join("/app", command.get("folder", "")).rstrip("/"),
            words.USER: "app",
            words.STACK: release.stack_uuid,
            **{words.RUNTIMES[place]: uuid for place, uuid in release.mounted(type).items()},
        },
    }


def _environment(
    app: App, release: Release, name: str, package: Package, command: Command
) -> dict[str, str]:
    """Config vars go over the command's own environment, the platform's variables over both."""
    web = name.partition(".")[0] == WEB
    platform = {
        "DYNO": name,
        "HOME": "/app",
        "PATH": nodejs.path(command.get("folder", "")),
        "SMARTPLATFORM_APP": app.name,
        "SMARTPLATFORM_RELEASE": release.name,
    } | ({"PORT": str(PORT)} if web else {})
    own = {**command["environment"], **release.config}
    defaults = {"NODE_ENV": "production"} | memory_variables(package, own.get("WEB_MEMORY"))
    return config_vars.environment({**defaults, **own}, platform)
