"""What a payload may say has its effect: seen inside a zone, or in what the node then refuses."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.network import addresses
from tests.paas.node.conftest import RunningNode

pytestmark = pytest.mark.root
QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": None}
STAY = ["sh", "-c", 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done']
OPERATOR = {"docker": False, "brand": "joyent"}


@asynccontextmanager
async def machine(node: RunningNode, **changes: Any) -> AsyncIterator[str]:
    payload = await node.payload(STAY, metadata=QUIET, **{**OPERATOR, **changes})
    payload.pop("docker")
    made = (await node.client.create(payload))["uuid"]
    try:
        yield made
    finally:
        flags = ("indestructible_zoneroot", "indestructible_delegated")
        await node.client.update(made, dict.fromkeys(flags, False))
        await node.client.delete(made)


async def refusal(call: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(NodeError) as caught:
        await call
    return caught.value.message


async def inside(node: RunningNode, uuid: str, script: str, user: str = "root") -> str:
    code, text = await node.output(uuid, "sh", "-c", script, user=user, working_directory="/")
    assert code == 0, text
    return text


def test_what_is_indestructible_is_not_lost(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node, indestructible_zoneroot=True) as made:
            vm = await client.get(made)
            assert (await refusal(client.delete(made))) == (
                "indestructible_zoneroot is set, cannot delete"
            )
            assert (await refusal(client.reprovision(made, vm["image_uuid"]))) == (
                "indestructible_zoneroot is set, cannot reprovision"
            )
            await client.stop(made, force=True)
            manifest = {"uuid": str(uuid.uuid4()), "name": "x"}
            call = client.create_image(made, manifest, keep_machine=False)
            assert "cannot delete" in await refusal(call)
            await client.update(made, {"indestructible_zoneroot": "false"})
            await client.update(made, {"indestructible_delegated": True})
            said = await refusal(client.delete(made))
            assert said == "indestructible_delegated is set, cannot delete"
            assert (await client.get(made))["state"] == "stopped"

    asyncio.run(story())


def test_autoboot_follows_start_and_stop_and_only_what_runs_is_rebooted(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node) as made:
            await client.reboot(made, force=True)
            assert (await client.get(made))["autoboot"] is True
            assert (await client.stop(made, force=True))["autoboot"] is False
            said = await refusal(client.reboot(made))
            assert said == 'Cannot reboot vm from state "stopped", must be "running"'
            assert (await client.start(made))["autoboot"] is True

    asyncio.run(story())


def test_a_rollback_takes_tags_and_metadata_along(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node, tags={"a": "then"}) as made:
            await client.create_snapshot(made, "then")
            change = {"set_tags": {"a": "now", "b": 1}, "set_customer_metadata": {"m": "now"}}
            await client.update(made, {**change, "max_lwps": 99})
            vm = await client.rollback_snapshot(made, "then")
            assert (vm["tags"], vm["customer_metadata"]) == ({"a": "then"}, {})
            assert vm["max_lwps"] == 99, "limits are none of the dataset's"
            dataset = running_node.settings.pool_mount / made
            assert [entry.name for entry in dataset.iterdir()] == ["root"]

    asyncio.run(story())


def test_a_machine_that_has_filled_its_quota_is_kept_and_brought_back(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node, tags={"a": "then"}) as made:
            fill = (
                "fallocate -l 1G /app/big || fallocate -l 1000M /app/big; cat /dev/zero > /app/more"
            )
            await running_node.output(made, "sh", "-c", f"{fill}; sync", user="app")
            code, _ = await running_node.output(made, "sh", "-c", "echo x > /app/x", user="app")
            assert code != 0, "the quota is full"
            await client.create_snapshot(made, "full")
            await client.update(made, {"set_tags": {"a": "now"}})
            vm = await client.rollback_snapshot(made, "full")
            assert (vm["tags"], vm["state"]) == ({"a": "then"}, "running")
            assert (await client.delete_snapshot(made, "full"))["snapshots"] == []
            code, _ = await running_node.output(made, "fallocate", "-l", "2G", "/app/x", user="app")
            assert code != 0, "there is a quota again"

    asyncio.run(story())


def test_a_given_mac_and_address_are_the_zones(running_node: RunningNode) -> None:
    async def story() -> None:
        client, network = running_node.client, running_node.settings.network
        nic = {"mac": "02:08:20:aa:bb:01", "ip": str(network.network_address + 77)}
        nic |= {"nic_tag": "internal", "netmask": str(network.netmask), "mtu": 1300}
        async with machine(running_node, nics=[nic]) as made:
            shown = (await client.get(made))["nics"][0]
            assert {**shown, **nic} == shown
            seen = await inside(
                running_node, made, "cd /sys/class/net/eth0; cat address mtu; hostname -I"
            )
            assert seen.split()[:3] == [nic["mac"], "1300", nic["ip"]]
            own = await running_node.payload(STAY, metadata=QUIET)
            for taken in ({"mac": nic["mac"]}, {"ip": nic["ip"]}):
                said = await refusal(client.create({**own, "nics": [taken]}))
                assert said.startswith("Conflict detected with another vm")
            # The MAC that follows from the next slot: the machine gets another slot.
            key, slots = running_node.settings.key, {vm["zoneid"] for vm in await client.list()}
            free = next(slot for slot in range(1, 99) if slot not in slots)
            given = {"mac": addresses.mac(free, key), "ip": str(network.network_address + 99)}
            async with (
                machine(running_node, nics=[given]) as first,
                machine(running_node) as second,
            ):
                vms = [await client.get(uuid) for uuid in (first, second)]
                assert len({vm["nics"][0]["mac"] for vm in vms}) == 2
            outside = {"ip": "192.0.2.1"}, {"ip": str(network.network_address + 1)}
            surroundings = {"gateway": "192.0.2.1"}, {"netmask": "255.255.255.255"}, {"mtu": 9000}
            for wrong in (*outside, *surroundings):
                said = await refusal(client.create({**own, "nics": [wrong]}))
                assert said == f"Invalid value(s) for: nics.*.{next(iter(wrong))}"
            said = await refusal(client.create({**own, "nics": [{"nic_tag": "admin"}]}))
            assert said == 'Invalid nic tag "admin": there is "internal"'
            assert own["uuid"] not in {vm["uuid"] for vm in await client.list()}

    asyncio.run(story())


def test_a_folder_of_the_hosts_is_seen_as_it_was_given(
    running_node: RunningNode, tmp_path: Path
) -> None:
    async def story() -> None:
        client = running_node.client
        shared, other = tmp_path / "shared", tmp_path / "other"
        for folder in (shared, other):
            folder.mkdir()
            (folder / "name").write_text(folder.name)
        given = [
            {"type": "lofs", "source": str(shared), "target": "/srv/shared"},
            {"source": str(other), "target": "/srv/other", "options": ["ro"]},
        ]
        async with machine(running_node, filesystems=given) as made:
            script = "cat /srv/*/name; echo inside > /srv/shared/new; ! touch /srv/other/new"
            assert (await inside(running_node, made, script)).startswith("othershared")
            assert (shared / "new").read_text() == "inside\n" and (
                shared / "new"
            ).stat().st_uid == 0
            await client.update(made, {"remove_filesystems": ["/srv/other"]})
            await client.reboot(made, force=True)
            seen = await inside(running_node, made, "grep -c ' /srv/' /proc/self/mountinfo")
            assert seen.strip() == "1"
            shared.rename(tmp_path / "away")
            said = await refusal(client.reboot(made, force=True))
            assert str(shared) in said
            (tmp_path / "away").rename(shared)
            await client.start(made)
            wrong = {"source": str(running_node.settings.state), "target": "/x"}
            said = await refusal(client.update(made, {"add_filesystems": [wrong]}))
            assert "choose another folder" in said
            (shared / "inner").mkdir()
            (tmp_path / "link").symlink_to(other)
            own = await running_node.payload(STAY, metadata=QUIET)
            for source, why in (
                (shared / "inner", "lie in each other"),
                (tmp_path, "lie in each other"),
                (tmp_path / "link", f"say {other}"),
                (other / "name", "is no folder"),
                (tmp_path / "none", "No such file"),
            ):
                wrong = {"source": str(source), "target": "/x"}
                said = await refusal(client.create({**own, "filesystems": [wrong]}))
                assert why in said and str(source) in said
            assert own["uuid"] not in {vm["uuid"] for vm in await client.list()}

    asyncio.run(story())


def test_small_properties_are_seen_inside(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        given = {"tmpfs": 0, "hostname": "web", "dns_domain": "example.org"}
        async with machine(running_node, **given, resolvers=["9.9.9.9"]) as made:
            script = "grep -c ' /tmp ' /proc/self/mountinfo; cat /etc/hosts /etc/resolv.conf"
            code, seen = await running_node.output(made, "sh", "-c", script, working_directory="/")
            assert code == 0 and seen.startswith("0\n") and " web.example.org web\n" in seen
            await client.update(made, {"resolvers": ["8.8.8.8"]})
            assert "9.9.9.9" in await inside(running_node, made, "cat /etc/resolv.conf")
            await client.update(made, {"maintain_resolvers": True})
            assert "8.8.8.8" in await inside(running_node, made, "cat /etc/resolv.conf")

    asyncio.run(story())


def test_an_init_is_started_again_where_it_is_to_be(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node, restart_init=True) as made:
            await client.kill(made, "KILL")
            await running_node.until(made, lambda vm: vm["init_restarts"] == 1 and vm.get("pid"))

    asyncio.run(story())


def test_a_machine_is_made_anew_from_another_image(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        async with machine(running_node, tags={"kept": 1}) as made:
            before = await client.get(made)
            await inside(running_node, made, "touch /app/mine", "app")
            await client.create_snapshot(made, "s")
            image = {"uuid": str(uuid.uuid4()), "name": "made"}
            await client.create_image(made, image, keep_machine=True)
            await inside(running_node, made, "touch /app/later", "app")
            try:
                vm = await client.reprovision(made, image["uuid"])
                assert vm["state"] == "running" and vm["image_uuid"] == image["uuid"]
                assert (vm["nics"], vm["tags"]) == (before["nics"], before["tags"])
                assert vm["snapshots"] == []
                assert (await inside(running_node, made, "ls /app")).split() == ["mine"]
                assert "is in use" in await refusal(client.delete_image(image["uuid"]))
                said = await refusal(client.reprovision(made, str(uuid.uuid4())))
                assert "not installed" in said
                assert (await client.get(made))["state"] == "running"
            finally:
                await client.reprovision(made, before["image_uuid"])
                await client.delete_image(image["uuid"])

    asyncio.run(story())
