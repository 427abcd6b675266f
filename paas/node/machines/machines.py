"""vmadm's verbs over all machines of this node: look up, check, lock, and let `life` do it."""

import asyncio
import contextlib
import errno
import logging
import platform
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from paas.errors import PlatformError
from paas.node.errors import NodeError
from paas.node.images.store import Images
from paas.node.machines import (
    filesystems,
    lookup,
    protection,
    records,
    reprovision,
    resize,
    slots,
    snapshots,
    transfer,
)
from paas.node.machines import payload as payloads
from paas.node.machines.brand import BrandOf, Held
from paas.node.machines.bundle import Bundle
from paas.node.machines.host import Host
from paas.node.machines.imaging import Imaging
from paas.node.machines.life import Life
from paas.node.machines.machine import Machine, now
from paas.node.machines.promises import Promises
from paas.node.network.firewall import Port
from paas.node.pools.interface import check_space
from paas.node.protocol import ExitStatus

log = logging.getLogger(__name__)


class Machines:
    """All machines of the node. Every verb can be repeated; errors are NodeErrors."""

    def __init__(self, host: Host, images: Images, brand_of: BrandOf) -> None:
        self.host = host
        self.images = images
        self._brand_of = brand_of
        self._lives: dict[str, Life] = {}
        self._broken: dict[str, Machine] = {}
        self.promises = Promises(host, self._lives)
        self.imaging = Imaging(host, images, self._lives, self._held, self._delete, self.known)
        self._refused: set[str] = set()
        """Machines that were never made, and that the pool keeps from being cleared away."""

    async def adopt(self) -> None:
        """At start: finish what was begun, take back what runs, boot what should run."""
        whole, broken = self.host.records.load()
        for uuid, reason in broken.items():
            log.error("machine %s: %s", uuid, reason)
            self._broken[uuid] = records.broken(uuid, reason)
        for machine in whole.values():
            self._lives[machine.uuid] = Life(self.host, machine, self._brand_of)
        await asyncio.gather(*(self._adopt(life) for life in list(self._lives.values())))

    def detach(self) -> None:
        """At the end: let go of all machines; they go on."""
        for life in self._lives.values():
            life.detach()

    def known(self) -> list[Machine]:
        return [*(life.machine for life in self._lives.values()), *self._broken.values()]

    def uuids(self) -> "set[str]":
        return {machine.uuid for machine in self.known()}

    def list(self) -> "Sequence[dict[str, Any]]":
        return [self.host.shown(one) for one in self.known() if one.uuid not in self._refused]

    def get(self, uuid: str) -> dict[str, Any]:
        return self.host.shown(self._broken.get(uuid) or self._life(uuid).machine)

    def lookup(self, filters: Mapping[str, Any]) -> "Sequence[dict[str, Any]]":
        """Machines with these properties: dotted keys; a value `~…` is a regular expression."""
        tests = [_test(path, wanted) for path, wanted in filters.items()]
        return [vm for vm in self.list() if all(test(vm) for test in tests)]

    async def create(self, payload: Any) -> dict[str, Any]:
        """Make it and boot it, unless `autoboot` is false; what exists is only booted."""
        properties, dropped = payloads.create(payload, kernel_version=platform.release())
        _tell_of("create", properties["uuid"], dropped)
        self._refuse_broken(properties["uuid"])
        while True:
            life = self._lives.get(properties["uuid"]) or await self._new(properties)
            async with life.lock:
                if self._lives.get(properties["uuid"]) is not life:
                    continue  # Another request made it in vain, or deleted it, meanwhile.
                if life.machine.state == "deleting":
                    await self._delete(life)
                    continue
                if not _is_made_from(life.machine, properties):
                    text = f"machine {properties['uuid']} exists, made from another payload"
                    raise NodeError("VmAlreadyExists", text)
                if properties["autoboot"]:
                    await self._start(life)
                return self.get(properties["uuid"])

    async def update(self, uuid: str, payload: Any) -> dict[str, Any]:
        """When a property counts, the table says (`table`, `effect`)."""
        async with self._held(uuid) as life:
            machine = life.machine
            properties, dropped = payloads.update(machine.properties, payload)
            _tell_of("update", uuid, dropped)
            if properties["filesystems"] != machine.properties["filesystems"]:
                await asyncio.to_thread(filesystems.check, self.host, properties, self._all())
            self.promises.check(uuid, properties)
            if properties["quota"] != machine.properties["quota"]:
                await asyncio.to_thread(resize.check_quota, self.host, machine, properties["quota"])
            life.record(properties=properties)
            try:
                # Also when nothing changed: a node that was killed may have recorded it only.
                await asyncio.to_thread(self._apply, life)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                life.change(properties=machine.properties)
                await asyncio.to_thread(self._apply, life)
                raise resize.memory_in_use(life, properties) from error
        return self.get(uuid)

    async def start(self, uuid: str) -> dict[str, Any]:
        async with self._held(uuid) as life:
            await self._start(life)
        return self.get(uuid)

    async def _start(self, life: Life) -> None:
        """As on SmartOS, what is started by hand boots with the host from then on."""
        _autoboot(life, True)
        await life.start()

    async def stop(
        self, uuid: str, *, force: bool, timeout_s: float, for_now: bool = False
    ) -> dict[str, Any]:
        """The reverse of `start`, also in what happens at the host's next boot; not `for_now`."""
        async with self._held(uuid) as life:
            if not for_now:
                _autoboot(life, False)
            await life.stop(force=force, timeout_s=timeout_s)
        return self.get(uuid)

    async def reboot(self, uuid: str, *, force: bool, timeout_s: float) -> dict[str, Any]:
        """Raises NodeError `VmNotRunning`, unless it is one of docker's, as on SmartOS."""
        async with self._held(uuid) as life:
            if not life.runs and not life.machine.properties.get("docker"):
                state = life.machine.state
                text = f'Cannot reboot vm from state "{state}", must be "running"'
                raise NodeError("VmNotRunning", text)
            await life.reboot(force=force, timeout_s=timeout_s)
        return self.get(uuid)

    async def reprovision(self, uuid: str, image: str) -> dict[str, Any]:
        """Its dataset anew from another image: same uuid, address and metadata.

        It is started, unless it is stopped and does not start with the host.
        """
        async with self._held(uuid) as life:
            await asyncio.to_thread(self.images.get, image)
            await asyncio.to_thread(check_space, self.host.pool)
            if image in self.imaging.going:
                raise NodeError("ImageNotInstalled", f"image {image} is being deleted")
            await reprovision.run(life, image)
        return self.get(uuid)

    def kill(self, uuid: str, number: int) -> dict[str, Any]:
        """Signal the first process. It sees what it handles, and SIGKILL (pid_namespaces(7))."""
        life = self._life(uuid)
        if not life.runs:
            raise NodeError("VmNotRunning", f"Cannot find running init PID for VM {uuid}")
        life.brand.signal(number)
        return self.get(uuid)

    async def delete(self, uuid: str) -> None:
        if uuid in self._broken:
            await asyncio.to_thread(self.host.pool.destroy, uuid)
            self.host.records.delete(uuid)
            broken = self._broken.pop(uuid, None)
            if broken is not None:
                self.host.changed(broken, None)
            return
        async with self._held(uuid) as life:
            protection.refuse_delete(life.machine)
            await self._delete(life)

    async def create_snapshot(self, uuid: str, name: Any) -> dict[str, Any]:
        return await self._with_snapshot(snapshots.create, uuid, name)

    async def rollback_snapshot(self, uuid: str, name: Any) -> dict[str, Any]:
        return await self._with_snapshot(snapshots.rollback, uuid, name)

    async def delete_snapshot(self, uuid: str, name: Any) -> dict[str, Any]:
        return await self._with_snapshot(snapshots.delete, uuid, name)

    async def _with_snapshot(
        self, verb: Callable[[Life, Any], Awaitable[None]], uuid: str, name: Any
    ) -> dict[str, Any]:
        async with self._held(uuid) as life:
            await verb(life, name)
        return self.get(uuid)

    async def send(self, uuid: str, descriptor: int, timeout_s: float) -> None:
        """Stop it, and write it with its data to a descriptor."""
        async with self._held(uuid) as life:
            await transfer.send(life, descriptor, timeout_s)

    async def receive(self, descriptor: int) -> dict[str, Any]:
        """A machine as `send` wrote it; `install` makes it ready. All or nothing."""
        bundle = Bundle(descriptor)
        driver = self.host.pool.driver
        described = await asyncio.to_thread(transfer.described, bundle, driver)
        properties, dropped = payloads.create(described)
        _tell_of("receive", properties["uuid"], dropped)
        uuid = properties["uuid"]
        self._refuse_broken(uuid)
        if uuid in self._lives:
            raise NodeError("VmAlreadyExists", f"machine {uuid} exists: delete it first")
        await self._new(properties, bundle)
        return self.get(uuid)

    async def install(self, uuid: str) -> dict[str, Any]:
        """Of a machine that was received: it is as any other, and boots if it is to."""
        async with self._held(uuid) as life:
            if life.machine.state != "receiving":
                state = life.machine.state
                text = f'Cannot install vm from state "{state}", must be "receiving"'
                raise NodeError("VmNotReceived", text)
            life.record(state="stopped")
            if life.machine.properties["autoboot"]:
                await life.start()
        return self.get(uuid)

    async def exec(
        self,
        uuid: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        user: str,
        working_directory: str,
        descriptors: Sequence[int],
        held: Held,
    ) -> ExitStatus:
        """Run a command in a machine that runs; cancelling kills it."""
        life = self._running(uuid)
        status = await life.brand.exec(
            life.machine, command, environment, user, working_directory, descriptors, held
        )
        if status.code:
            # Whoever asks why it failed asks at once, before the kernel's event is looked into.
            life.count_hits()
        return status

    async def connect(self, uuid: str, port: int) -> socket.socket:
        """A connection to a port inside a machine that runs."""
        return await self._running(uuid).brand.connect(port)

    def _running(self, uuid: str) -> Life:
        life = self._life(uuid)
        if not life.runs:
            raise NodeError("VmNotRunning", f"machine {uuid} does not run: start it first")
        return life

    async def _new(self, properties: dict[str, Any], bundle: Bundle | None = None) -> Life:
        """Cloned from its image, or with the data of a bundle.

        From the check to the promise nothing is awaited: nobody comes between.
        """
        self.promises.check(properties["uuid"], properties)
        machine = Machine(
            uuid=properties["uuid"],
            slot=slots.chosen(self.host, properties, self._others()),
            properties=properties,
            create_timestamp=now(),
            last_modified=now(),
        )
        for image in machine.images() & self.imaging.going:
            raise NodeError("ImageNotInstalled", f"image {image} is being deleted")
        life = self._lives[machine.uuid] = Life(self.host, machine, self._brand_of)
        async with life.lock:
            try:
                await asyncio.to_thread(check_space, self.host.pool)
                await asyncio.to_thread(filesystems.check, self.host, properties, self._all())
                # What is received is whole without the image that it was made from.
                came_along = {machine.properties["image_uuid"]} if bundle else set()
                for image in machine.images() - came_along:
                    await asyncio.to_thread(self.images.get, image)
                self.host.records.save(machine)
                self.host.changed(None, machine)
                await life.make(transfer.receive(life, bundle) if bundle else None)
            except Exception:
                # Not when the node itself ends: its next start does the same.
                if not await self._clear_away(life):
                    self._refused.add(machine.uuid)
                    self.host.changed(life.machine, None)
                raise
        return life

    def _all(self) -> "Sequence[Mapping[str, Any]]":
        return [machine.properties for machine in self._others()]

    def _others(self) -> "Sequence[Machine]":
        return [life.machine for life in self._lives.values()]

    async def _clear_away(self, life: Life) -> bool:
        """Delete what can't be, or is to be no more; what fails is left to `mend`."""
        try:
            await self._delete(life)
        except (OSError, PlatformError, NodeError) as error:
            log.error("machine %s can't be cleared away yet: %s", life.machine.uuid, error)
            return False
        return True

    async def mend(self) -> None:
        """Make good what a pool that was full or failing refused: records, and deletions."""
        for life in list(self._lives.values()):
            if life.lock.locked():
                continue
            async with life.lock:
                if self._lives.get(life.machine.uuid) is not life:
                    continue
                if life.machine.state == "deleting":
                    await self._clear_away(life)
                elif life.unsaved:
                    life.save()

    def needs_mending(self) -> bool:
        return any(
            life.unsaved or life.machine.state == "deleting" for life in self._lives.values()
        )

    async def _delete(self, life: Life) -> None:
        await life.delete()
        self._lives.pop(life.machine.uuid, None)
        self._refused.discard(life.machine.uuid)

    async def _adopt(self, life: Life) -> None:
        machine = life.machine
        async with life.lock:
            try:
                there = await asyncio.to_thread(self.host.pool.exists, machine.uuid)
                became = (
                    not there and machine.becomes and self.imaging.is_installed(machine.becomes)
                )
                if became or machine.state in ("provisioning", "deleting"):
                    await self._delete(life)
                elif there or machine.reprovisions:
                    await reprovision.reconcile(life)
                    await snapshots.reconcile(life)
                    await life.adopt()
                else:
                    await life.fail(f"its dataset zones/{machine.uuid} is missing")
            except Exception as error:
                log.exception("machine %s can't be adopted", machine.uuid)
                life.change(state="failed", failure=f"could not be adopted: {error}")

    def _refuse_broken(self, uuid: str) -> None:
        if uuid in self._broken:
            raise NodeError(
                "InvalidRecord",
                f"machine {uuid} has failed: {self._broken[uuid].failure}. Delete it, or repair "
                "the record and start the node again",
            )

    def _apply(self, life: Life) -> None:
        life.brand.apply(life.machine)
        self.host.pool.set_quota(life.machine.uuid, life.machine.quota_bytes)

    @contextlib.asynccontextmanager
    async def _held(self, uuid: str) -> AsyncIterator[Life]:
        """The machine, with its lock. While that was waited for, it may have been made anew."""
        while True:
            life = self._life(uuid)
            async with life.lock:
                if self._lives.get(uuid) is life:
                    yield life
                    return

    def _life(self, uuid: str) -> Life:
        self._refuse_broken(uuid)
        life = self._lives.get(uuid)
        if life is None:
            raise NodeError("VmNotFound", f"zoneadm: {uuid:.64}: No such zone configured")
        return life


def _is_made_from(machine: Machine, properties: Mapping[str, Any]) -> bool:
    """Whether a create is a repeated one: autoboot follows start and stop since."""
    has = dict(machine.properties)
    return {**has, "autoboot": True} == {**properties, "autoboot": True}


def _autoboot(life: Life, value: bool) -> None:
    properties = life.machine.properties
    if properties["autoboot"] != value:
        life.change(properties={**properties, "autoboot": value})


def _tell_of(verb: str, uuid: str, dropped: Sequence[str]) -> None:
    if dropped:
        log.warning("%s %s: dropped, for it means nothing here: %s", verb, uuid, ",".join(dropped))


def ports(host: Host, machines: Sequence[Machine]) -> "Sequence[Port]":
    return [host.port(machine) for machine in machines]


def _test(path: str, wanted: Any) -> Callable[[Mapping[str, Any]], bool]:
    try:
        return lookup.test(path, wanted)
    except re.error as error:
        raise NodeError("InvalidFilter", f"{path}: {wanted[1:]!r}: {error}") from error
