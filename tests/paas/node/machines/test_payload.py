"""vmadm payloads: defaults, messages and coercions as vmadm has them; nothing makes a traceback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.machines import payload

IMAGE = "b2b28f82-6f0e-4b37-9c0a-6c3a5b0a2f10"
PLAIN = {"brand": "lx", "image_uuid": IMAGE}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def test_defaults_are_vmadms() -> None:
    made, warnings = payload.create({**PLAIN, "max_physical_memory": 512})
    assert warnings == []
    expected = {
        "zonename": made["uuid"],
        "hostname": made["uuid"],
        "autoboot": True,
        "cpu_shares": 100,
        "ram": 512,
        "max_swap": 512,
        "max_locked_memory": 512,
        "tmpfs": 512,
        "max_lwps": 2000,
        "quota": 10,
        "zpool": "zones",
        "owner_uuid": "00000000-0000-0000-0000-000000000000",
    }
    assert expected.items() <= made.items()


def test_messages_are_vmadms() -> None:
    with pytest.raises(payload.BadPayload, match=r"^Missing required properties: image_uuid$"):
        payload.create({})
    with pytest.raises(payload.BadPayload, match=r"^Invalid brand while .*: 'bogus'$"):
        payload.create({**PLAIN, "brand": "bogus"})
    with pytest.raises(payload.BadPayload, match=r"^Invalid value\(s\) for: ram,quota$"):
        payload.create({**PLAIN, "ram": -1, "quota": "many"})


def test_unknown_properties_are_dropped_with_a_warning() -> None:
    made, warnings = payload.create({**PLAIN, "colour": "red"})
    assert "colour" not in made
    assert warnings == ["colour"]


def test_what_belongs_to_another_brand_is_dropped_and_what_is_not_built_is_refused() -> None:
    """Ansible sends cpu_type with every payload, and SmartOS's joyent brand knows no docker."""
    made, dropped = payload.create({"image_uuid": IMAGE, "cpu_type": "qemu64", "docker": True})
    assert (made["brand"], dropped) == ("joyent", ["cpu_type", "docker"])
    with pytest.raises(payload.BadPayload, match=r"firewall_enabled .*routes") as caught:
        payload.create({**PLAIN, "firewall_enabled": True, "routes": {"10.0.0.0/8": "nics[0]"}})
    assert caught.value.message.startswith("Known and not built on this node: ")
    for brand in ("kvm", "bhyve", "builder"):
        with pytest.raises(payload.BadPayload, match=f"brand {brand} is known and not built"):
            payload.create({**PLAIN, "brand": brand})


@pytest.mark.parametrize("name", [row.name for row in payload.TABLE.values() if row.only])
def test_what_is_not_built_may_be_said_where_it_asks_for_nothing(name: str) -> None:
    row = payload.TABLE[name]
    for value in row.only:
        if "C" in row.settable:
            assert payload.create({**PLAIN, name: value})[1] == []
        made, _ = payload.create(PLAIN)
        assert payload.update(made, {name: value})[0] == made


def test_a_value_of_the_wrong_type_is_a_bad_one_also_where_nothing_is_built() -> None:
    wrong = {"fs_allowed": {}, "routes": [], "delegate_dataset": "x", "max_msg_ids": 1.5}
    with pytest.raises(payload.BadPayload) as caught:
        payload.create({**PLAIN, **wrong})
    assert (caught.value.bad_values, caught.value.not_built) == (list(wrong), {})


def test_a_record_of_an_earlier_version_is_read_without_what_never_had_an_effect() -> None:
    old = {**PLAIN, "uuid": IMAGE, "firewall_enabled": True, "archive_on_delete": True}
    assert "firewall_enabled" not in payload.recorded(old)


def test_a_cap_of_nothing_is_no_cap() -> None:
    made, _ = payload.create({**PLAIN, "cpu_cap": 50, "quota": 5})
    for nothing in (0, "0", "", None):
        assert "cpu_cap" not in payload.update(made, {"cpu_cap": nothing})[0]
    assert payload.update(made, {"quota": ""})[0]["quota"] == 10


def test_nics_and_filesystems_are_checked_inside() -> None:
    nic = {"nic_tag": "internal", "ip": "dhcp", "mac": "2:8:20:0:0:1", "model": "virtio"}
    made, dropped = payload.create({**PLAIN, "nics": [nic]})
    assert made["nics"][0]["mac"] == "02:08:20:00:00:01" and dropped == ["nics.*.model"]
    for name, wrong in (
        *(("mac", mac) for mac in ("01:00:00:00:00:01", "00:00:00:00:00:00", "x", 1)),
        *(("ip", ip) for ip in ("10.0.0.256", "::1", None, 1)),
        *(("mtu", mtu) for mtu in (575, 9001, 1500.5, "x", {})),
        *(("vlan_id", vlan) for vlan in (-1, 4096, [])),
    ):
        with pytest.raises(payload.BadPayload) as caught:
            payload.create({**PLAIN, "nics": [{name: wrong}]})
        assert caught.value.bad_values == [f"nics.*.{name}"]
    with pytest.raises(payload.BadPayload, match=r"not built .* nics\.\*\.vlan_id"):
        payload.create({**PLAIN, "nics": [{"vlan_id": 7}]})
    with pytest.raises(payload.BadPayload, match=r"nics \(a machine has one interface"):
        payload.create({**PLAIN, "nics": [{}, {}]})
    for target in ("/proc/x", "/", "relative", "/a/../b", "/usr", "/etc/hosts"):
        with pytest.raises(payload.BadPayload, match=r"filesystems\.\*\.target"):
            payload.create({**PLAIN, "filesystems": [{"source": "/srv", "target": target}]})


def test_filesystems_are_changed_by_their_target() -> None:
    first = {"source": "/srv/a", "target": "/a", "type": "lofs"}
    made, _ = payload.create({**PLAIN, "filesystems": [first]})
    more, _ = payload.update(made, {"add_filesystems": [{"source": "/srv/b", "target": "/b"}]})
    assert [item["target"] for item in more["filesystems"]] == ["/a", "/b"]
    change = {"update_filesystems": [{"target": "/a", "options": "ro"}], "remove_filesystems": "/b"}
    assert payload.update(more, change)[0]["filesystems"] == [{**first, "options": ["ro"]}]
    with pytest.raises(payload.BadPayload, match=r"add_filesystems\.\*\.target"):
        payload.update(made, {"add_filesystems": [first]})


def test_validate_says_everything_at_once() -> None:
    assert payload.validate("create", "joyent", {"image_uuid": IMAGE}) is None
    wrong = {"ram": "x", "vcpus": 1, "colour": 1, "archive_on_delete": True}
    found = payload.validate("create", "lx", wrong)
    assert found is not None and found.pop("not_built").keys() == {"archive_on_delete"}
    assert found == {
        "bad_values": ["ram"],
        "bad_properties": ["vcpus", "colour"],
        "missing_properties": ["image_uuid"],
    }
    assert payload.validate("update", "lx", {"brand": "lx"})["bad_properties"] == ["brand"]
    assert payload.validate("create", None, {}) == {"bad_brand": "undefined"}


def test_numbers_and_booleans_may_be_strings() -> None:
    made, _ = payload.create({**PLAIN, "ram": "512", "autoboot": "false", "resolvers": "9.9.9.9"})
    assert (made["ram"], made["autoboot"], made["resolvers"]) == (512, False, ["9.9.9.9"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("docker:cmd", "[]"),
        ("docker:cmd", "node"),
        ("docker:cmd", '["a\\u0000"]'),
        ("docker:env", '["NO_VALUE"]'),
        ("docker:user", "nobody"),
        ("docker:user", "70000"),
        ("docker:workdir", "app"),
        ("docker:restartpolicy", "sometimes"),
        ("smartplatform:port", 0),
        ("smartplatform:class", "../machines"),
        ("smartplatform:stack", "../../etc"),
    ],
)
def test_a_wrong_metadata_key_is_named(key: str, value: object) -> None:
    with pytest.raises(payload.BadPayload) as caught:
        payload.create({**PLAIN, "internal_metadata": {key: value}})
    assert caught.value.bad_values == [f"internal_metadata.{key}"]


def test_update_changes_limits_and_flat_objects_key_by_key() -> None:
    made, _ = payload.create({**PLAIN, "tags": {"a": "1", "b": "2"}, "max_physical_memory": 1024})
    changed, warnings = payload.update(
        made, {"ram": 128, "set_tags": {"c": "3"}, "remove_tags": ["a"], "image_uuid": IMAGE}
    )
    assert changed["tags"] == {"b": "2", "c": "3"}
    assert (changed["max_physical_memory"], changed["max_swap"], changed["tmpfs"]) == (
        128,
        256,
        128,
    )
    assert warnings == ["image_uuid"]


@given(st.dictionaries(st.sampled_from(sorted(payload.TABLE)) | st.text(), JSON) | JSON)
def test_any_json_is_a_machine_or_a_message(given: object) -> None:
    try:
        made, _ = payload.create(given)
    except payload.BadPayload as error:
        assert str(error)
    else:
        assert payload.create(made)[0] == made


@given(st.dictionaries(st.sampled_from([*payload.TABLE, "set_tags", "remove_tags"]), JSON))
def test_any_update_is_a_machine_or_a_message(given: dict[str, object]) -> None:
    made, _ = payload.create(PLAIN)
    try:
        payload.update(made, given)
    except payload.BadPayload as error:
        assert error.bad_values or error.not_built
