"""One zone seen from inside: what a Node.js developer expects of a computer."""

import errno
import json
import subprocess
from typing import Any

import pytest

from tests.paas.node.security.conftest import IDLE, INSIDE, Walls, shrink

pytestmark = pytest.mark.root

BUILD = {**IDLE, "smartplatform:class": "builds"}
PACKAGE_BYTES = 512 * 1024 * 1024
QUOTA_BYTES = 48 * 1024 * 1024
INSTALL = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", "/tmp/npm",
           "bufferutil@4"]  # fmt: skip
"""It brings its compiled addon along, so that nothing has to be compiled."""


def registry() -> str | None:
    """The one that this host is configured to use, if it answers."""
    try:
        argv = ["npm", "config", "get", "registry"]
        url = subprocess.check_output(argv, timeout=20, text=True).strip()
        subprocess.run(["npm", "ping"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return url


@pytest.fixture(scope="module")
def found(walls: Walls) -> dict[str, Any]:
    script = (INSIDE / "nodejs.cjs").read_text()
    url = registry()
    variables = {"SCRIPT": script} | ({"REGISTRY": url} if url else {})
    size = {"max_physical_memory": 512, "tmpfs": 64}
    with walls.machine(["sleep", "1000"], metadata=BUILD, **size) as uuid:
        if url:
            code, text = walls.run(uuid, *INSTALL)
            assert code == 0, text
        shrink(walls, uuid, QUOTA_BYTES)
        code, text = walls.run(uuid, "node", "-e", script, environment=variables)
    assert code == 5, text  # process.exit's.
    return {**json.loads(text.splitlines()[-1]), "registry": url}


def test_names_resolve_and_tls_reaches_the_registry(found: dict[str, Any]) -> None:
    if not found["registry"]:
        pytest.skip("this host itself reaches no npm registry")
    assert found["resolved"][0].isdigit()
    assert found["reached"] in range(200, 500)


def test_files_folders_and_names(found: dict[str, Any]) -> None:
    assert (found["temporary"], found["names"]) == ("temporary", ["ü"])
    assert (found["home"], found["user"]) == ("/app", "app")


def test_time_zones_and_the_locale(found: dict[str, Any]) -> None:
    assert found["zone"] == "UTC"
    assert "01:00:00" in found["berlin"]
    assert found["system"] == "01"
    assert found["locale"] == "UTF-8"
    assert found["child"] == ["C.UTF-8 ✓\n", 7]
    assert found["lists"] == "a, b und c"
    assert found["collated"] == ["a", "ä", "z"]


def test_threads_children_watching_signals_and_own_servers(found: dict[str, Any]) -> None:
    assert found["worker"] == "from the thread"
    assert found["watched"] is True
    assert found["served"] == "own"
    assert found["signal"] == "SIGUSR2"
    assert found["below"] == "er/file"
    assert found["children"] == [9, "SIGKILL", "pinged"]


def test_a_dependency_with_a_compiled_addon_runs(found: dict[str, Any]) -> None:
    if not found["registry"]:
        pytest.skip("this host itself reaches no npm registry")
    assert found["native"] == [list(b"text"), 1]


def test_the_app_folder_is_writable_up_to_its_quota_and_tmp_to_its_size(
    found: dict[str, Any],
) -> None:
    assert (found["filled"], found["full"]) == (errno.EDQUOT, errno.ENOSPC)


def test_the_heap_follows_the_package(found: dict[str, Any]) -> None:
    # Node.js counts more than the old space: what is added to it does not grow with the package.
    assert 0.7 < found["heap"] / PACKAGE_BYTES < 1.2


def test_the_computer_is_as_large_as_the_package_wherever_it_is_asked(
    found: dict[str, Any],
) -> None:
    size = {"total": PACKAGE_BYTES, "constrained": PACKAGE_BYTES, "text": PACKAGE_BYTES}
    counts = {"cpus": 1, "parallel": 1, "browser": 1}
    assert found["size"] == {**size, **counts}
    assert found["sizes"] == [found["size"]] * 4


def test_free_memory_falls_by_what_is_taken(found: dict[str, Any]) -> None:
    taken = found["taken"]
    assert PACKAGE_BYTES / 2 < taken["before"] < PACKAGE_BYTES
    assert 0 < taken["available"] < PACKAGE_BYTES
    assert 24 < taken["own"] < 64
    assert taken["own"] + 24 < taken["both"] < 200
    assert 12 < taken["file"] < 32
