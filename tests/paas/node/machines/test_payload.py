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
    with pytest.raises(
        payload.BadPayload, match=r"^Missing required properties: brand,image_uuid$"
    ):
        payload.create({})
    with pytest.raises(payload.BadPayload, match=r"^Invalid value\(s\) for: ram,quota$"):
        payload.create({**PLAIN, "ram": -1, "quota": "many"})


def test_unknown_properties_are_dropped_with_a_warning() -> None:
    made, warnings = payload.create({**PLAIN, "colour": "red"})
    assert "colour" not in made
    assert "colour" in warnings[0]


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
    assert len(warnings) == 1
    assert "image_uuid" in warnings[0]


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
        assert error.bad_values
