"""Any payload and any argument, sent to a node that runs: done or refused in words, nothing else.

`PAAS_PAYLOADS` is how many are tried (25 by default; 3,000 for a long search).
"""

import asyncio
import json
import os
import uuid
from collections.abc import Collection, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paas.node.errors import NodeError
from paas.node.machines.nested import NESTED
from paas.node.machines.payload import TABLE
from paas.node.server.verbs import VERBS
from router.wire import frames
from tests.paas.node.conftest import RunningNode
from tests.paas.node.leftovers import leftovers

Result = TypeVar("Result")
EXAMPLES = int(os.environ.get("PAAS_PAYLOADS", "25"))
REFUSALS = {
    *("InvalidPayload", "InvalidRequest", "InvalidSignal", "InvalidFilter", "InvalidSnapshotName"),
    *("ImageNotInstalled", "ImageInUse", "StartFailed", "UnknownVerb"),
    *("VmAlreadyExists", "VmNotFound", "VmNotRunning", "VmNotStopped", "Pool", "NoSpace"),
    *("SnapshotExists", "SnapshotNotFound", "Indestructible", "Conflict"),
    *("VmNotReady", "VmNotReceived"),
    *("InvalidManifest", "InvalidUuid", "InvalidImage", "InsufficientCapacity"),
}
ARGUMENTS = {
    name: [argument.name for argument in verb.arguments]
    for name, verb in VERBS.items()
    if verb.arguments
}

pytestmark = [pytest.mark.root, pytest.mark.timeout(120 + EXAMPLES * 4)]

EDGES = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2**31, 2**53, 2**64, 10**400, 0.5, float("nan"), 1e308),
        *("", " ", "\0", "0", "-1", "1e9", "true", "..", "../../etc", "/", "/a/../..", "a" * 5000),
        *("\u202e", "\ud800", "é" * 200, "%s%n", "$(reboot)", "; reboot", "x\ny", "ro,exec", "-x"),
        *([], {}, [[]], [{}], {"": ""}, {"a": {"b": 1}}, ["127.0.0.1"], ["::1", None], "::1"),
        *("root", "app", "app:root", "0:0", "65536", "-1:1", "[]", '["sh"]', '["a\\u0000b"]'),
        *('["/"]', '["/app"]', '["no-such"]', '{"a": 1}', "[" * 3000, '["x=y"]', '["=y"]', '["x"]'),
    ]
)  # fmt: skip
VICTIM = "(the victim)"
STAY = 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'
ANYTHING = EDGES | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
PLAUSIBLE = st.sampled_from(
    [
        *("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "10.0.0.5", "10.0.0.5/16", "dhcp", "internal"),
        *("/", "/srv", "/srv/../etc", "/proc/self/fd/3", "/no/such", "/var/lib", "lofs", "ro"),
        *("ro,noexec", ["ro", "nodev"], "255.255.0.0", "addrconf", ["dhcp", "addrconf"], 0, 1500),
    ]
)  # fmt: skip
KEYS = st.sampled_from([*TABLE, "colour", "set_tags", "remove_tags", "set_internal_metadata"])
INTERNAL = st.sampled_from(
    [
        *(f"docker:{name}" for name in ("cmd", "env", "workdir", "user", "restartpolicy")),
        *(f"smartplatform:{name}" for name in ("stack", "runtime", "port", "class")),
        *("docker:", "x", "", "\0", "é"),
    ]
)
ITEMS = st.sampled_from(sorted(NESTED)).flatmap(
    lambda name: st.dictionaries(
        st.sampled_from(
            ["nics", "filesystems", "add_filesystems", "update_filesystems", "add_nics"]
        ),
        st.lists(st.dictionaries(st.sampled_from([*NESTED[name], "x"]), PLAUSIBLE | ANYTHING)),
        max_size=1,
    )
)
CHANGES = st.dictionaries(KEYS, ANYTHING, max_size=2) | ITEMS
INTERNAL_CHANGES = st.dictionaries(INTERNAL, ANYTHING, max_size=2)


@dataclass(frozen=True)
class Witness:
    """A node with one machine that nothing here is about: it must stay as it is."""

    node: RunningNode
    before: dict[str, Any]
    images: set[str]
    base: dict[str, Any]
    victim: dict[str, Any]
    """The payload of a machine that verbs are tried on; one of them may delete it."""


@pytest.fixture(scope="module")
def witness(running_node: RunningNode) -> Iterator[Witness]:
    async def make() -> Witness:
        quiet = {"smartplatform:port": None}
        base = await running_node.payload(["sleep", "1000"], metadata=quiet)
        images = {image["uuid"] for image in await running_node.client.images()}
        before = await running_node.client.create({**base, "uuid": str(uuid.uuid4())})
        victim = await running_node.payload(["sh", "-c", STAY], metadata=quiet)
        return Witness(running_node, before, images, base, victim)

    made = asyncio.run(make())
    yield made
    asyncio.run(running_node.client.delete(made.victim["uuid"]))
    asyncio.run(running_node.client.delete(made.before["uuid"]))


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


async def refused(work: Coroutine[Any, Any, Result]) -> Result | str:
    """What it gives, or the code of a clean refusal."""
    try:
        return await work
    except NodeError as error:
        assert error.code in REFUSALS, (error.code, error.message)
        assert error.message and "Traceback" not in error.message and len(error.message) < 6000
        return error.code


@given(changes=CHANGES, internal=INTERNAL_CHANGES, later=CHANGES, later_internal=INTERNAL_CHANGES)
@bounded(EXAMPLES)
def test_any_payload_is_done_or_refused_whole(
    witness: Witness,
    changes: dict[str, Any],
    internal: dict[str, Any],
    later: dict[str, Any],
    later_internal: dict[str, Any],
) -> None:
    async def story() -> None:
        client, own = witness.node.client, str(uuid.uuid4())
        metadata = {**witness.base["internal_metadata"], **internal}
        payload = {**witness.base, "uuid": own, "internal_metadata": metadata, **changes}
        made = await refused(client.create(payload))
        known = {witness.before["uuid"], witness.victim["uuid"]}
        there = {vm["uuid"] for vm in await client.list()} - known
        if isinstance(made, dict):
            assert there == {made["uuid"]}
            before = await client.get(made["uuid"])
            change = {"set_internal_metadata": later_internal, **later}
            updated = await refused(client.update(made["uuid"], change))
            if isinstance(updated, str):
                assert _settled(await client.get(made["uuid"])) == _settled(before)
            assert isinstance(await refused(client.reboot(made["uuid"], force=True)), dict | str)
        else:
            assert there == set() or made == "StartFailed"
        for machine in there:
            await client.delete(machine)
        await unchanged(witness, {witness.victim["uuid"]})

    checked(witness, story())


@given(
    request=st.sampled_from(sorted(ARGUMENTS)).flatmap(
        lambda verb: st.fixed_dictionaries(
            {"verb": st.just(verb), **dict.fromkeys(ARGUMENTS[verb], ANYTHING)}
        )
    ),
    named=st.sampled_from([{}, {"uuid": VICTIM}, {"machine": VICTIM}, {"uuid": VICTIM}]),
)
@bounded(EXAMPLES * 2)
def test_any_argument_of_any_verb_is_refused_in_words(
    witness: Witness, request: dict[str, Any], named: dict[str, str]
) -> None:
    async def story() -> None:
        await witness.node.client.create(witness.victim)
        request.update({name: witness.victim["uuid"] for name in named})
        answer = await ask(witness, request)
        error = answer.get("error")
        if error is not None:
            assert error["code"] in REFUSALS, (error, request)
            assert error["message"]
        await unchanged(witness, {witness.victim["uuid"]})

    checked(witness, story())


async def ask(witness: Witness, message: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(witness.node.settings.node_socket))
    try:
        body = json.dumps(message).encode()
        writer.write(len(body).to_bytes(4, "big") + body)
        await writer.drain()
        return await asyncio.wait_for(frames.read(reader), 60) or {}
    finally:
        writer.close()


def _settled(vm: dict[str, Any]) -> dict[str, Any]:
    """What a caller sets; its process may end and start meanwhile."""
    return {key: vm[key] for key in TABLE if key in vm}


async def unchanged(witness: Witness, others: Collection[str] = ()) -> None:
    vms = await witness.node.client.list()
    assert [vm for vm in vms if vm["uuid"] not in others] == [witness.before]


def checked(witness: Witness, story: Coroutine[Any, Any, None]) -> None:
    """Run it; then the node lives, has no traceback more in its log, and nothing is left over."""
    node = witness.node
    log = node.settings.logs / "node.log"
    size = log.stat().st_size
    asyncio.run(story)
    assert node.process is not None and node.process.poll() is None
    with log.open() as file:
        file.seek(size)
        assert "Traceback" not in file.read()
    mine = {witness.before["uuid"], witness.victim["uuid"]}
    assert leftovers(node.settings, mine, witness.images, node.process.pid) == []
