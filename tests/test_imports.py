"""Dependencies point one way (ARCHITECTURE.md): asserted over the source of every module."""

import ast
import graphlib
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PACKAGES = ("paas", "gitserver", "buildpacks", "router")

ALONE = ("gitserver", "buildpacks", "router")
"""They import nothing of the others."""

BELOW = ("paas.store", "paas.apps", "paas.logs", "paas.settings", "paas.errors", "paas.system")
"""What they may be imported by, they never import."""
ABOVE = ("paas.api", "paas.cli", "paas.deploys", "paas.control", "paas.supervisor")

NODE_IN_PUBLIC = ("paas.node.client", "paas.node.errors", "paas.node.words")
"""All that others than the node may know of it."""
NODE_STARTERS = ("paas.supervisor", "paas.host", "paas.cli")
"""They start and remove the node on this host, and may import it inside functions."""

LAYERS = {
    "router": (
        ("keeper", "worker"),
        ("traffic",),
        ("choice",),
        ("table", "http", "tls", "memory", "wire"),
    ),
    "paas": (
        ("control", "cli"),
        ("api", "supervisor"),
        ("operations",),
        ("deploys",),
        ("runs",),
        ("builder", "provisioner"),
        ("platform", "certificates"),
        ("routes",),
        ("store",),
        ("host", "client"),
        ("apps", "fleet", "logs"),
        ("node",),
        ("system",),
    ),
    "paas.node": (
        ("server", "commands"),
        ("brands", "upkeep"),
        ("machines",),
        ("zone",),
        ("images",),
        ("pools", "network"),
    ),
}
"""The folders of a package, from the top. Those of one row stand side by side and import none of
each other; modules that lie loose in the package are the ground, which imports no folder."""

CLIENT_ONLY = ("httptools", "uvloop", "sqlalchemy", "starlette", "uvicorn", "dulwich", "alembic")
"""What only a server has: never imported by the command or the client when they start."""


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, at_start: bool = False) -> Iterator[str]:
    """Full names of what a module imports; `at_start` leaves out what functions import later."""
    tree = ast.parse(path.read_text(), str(path))
    for node in _at_start(tree) if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _at_start(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_start(child)


def _base(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_rules_have_something_to_judge() -> None:
    assert len(sources()) > 20
    here = CHECKOUT / "paas/node/images/store.py"
    assert "paas.node.images.manifests" in set(imports(here))


@pytest.mark.parametrize("package", ALONE)
def test_a_package_stands_alone(package: str) -> None:
    others = tuple(other for other in PACKAGES if other != package)
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if within(module_of(path), (package,))
        for name in imports(path)
        if within(name, others)
    ]
    assert bad == []


def test_nothing_outside_the_node_imports_more_of_it_than_its_client() -> None:
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if not within(module_of(path), ("paas.node",))
        for name in imports(path, at_start=within(module_of(path), NODE_STARTERS))
        if within(name, ("paas.node",)) and not within(name, NODE_IN_PUBLIC)
        if name not in {"paas.node", *NODE_IN_PUBLIC}
    ]
    assert bad == []


def test_the_node_imports_nothing_of_what_stands_above_it() -> None:
    known = (
        "paas.node", "paas.settings", "paas.errors", "paas.system", "router",
    )  # fmt: skip
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if within(module_of(path), ("paas.node",))
        for name in imports(path)
        if within(name, PACKAGES) and not within(name, known)
    ]
    assert bad == []


def folder_of(module: str, package: str) -> str:
    """The folder of the package that the module is in; nothing for one that lies loose."""
    name = module.removeprefix(f"{package}.").partition(".")[0]
    return name if (CHECKOUT / package.replace(".", "/") / name).is_dir() else ""


def modules_of(package: str) -> dict[str, Path]:
    return {module_of(path): path for path in sources() if within(module_of(path), (package,))}


def imported(path: Path, modules: dict[str, Path]) -> set[str]:
    """Which of the modules it imports, wherever in it, `TYPE_CHECKING` counted."""
    found = {name if name in modules else name.rpartition(".")[0] for name in imports(path)}
    return (found & modules.keys()) - {module_of(path)}


@pytest.mark.parametrize("package", LAYERS)
def test_every_folder_has_its_layer(package: str) -> None:
    folders = {folder_of(module, package) for module in modules_of(package)} - {""}
    assert folders == {folder for layer in LAYERS[package] for folder in layer}


@pytest.mark.parametrize("package", LAYERS)
def test_no_folder_imports_one_that_stands_before_it(package: str) -> None:
    layers = LAYERS[package]
    depth = {folder: index for index, layer in enumerate(layers) for folder in layer}
    modules = modules_of(package)
    bad = [
        f"{module} imports {name}"
        for module, path in modules.items()
        for name in imported(path, modules)
        if (here := folder_of(module, package)) != (there := folder_of(name, package))
        if depth.get(there, len(layers)) <= depth.get(here, len(layers))
    ]
    assert bad == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    modules = modules_of(package)
    graph = {module: imported(path, modules) for module, path in modules.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_what_is_below_imports_nothing_from_above() -> None:
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if within(module_of(path), BELOW)
        for name in imports(path)
        if within(name, ABOVE)
    ]
    assert bad == []


def test_apps_do_no_input_and_output() -> None:
    outside = ("asyncio", "socket", "subprocess", "sqlalchemy", "httpx", "aiofiles")
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if within(module_of(path), ("paas.apps",))
        for name in imports(path)
        if within(name, outside) or within(name, ("paas.node", "paas.store", "router"))
    ]
    assert bad == []


def test_sql_stays_in_the_store() -> None:
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if not within(module_of(path), ("paas.store",))
        for name in imports(path)
        if within(name, ("sqlite3", "alembic", "psycopg"))
    ]
    assert bad == []


def test_the_command_starts_without_what_only_a_server_has() -> None:
    clients = (
        "paas.cli", "paas.client", "paas.errors", "paas.system", "paas.settings",
        "paas.node.client",
    )  # fmt: skip
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        if within(module_of(path), clients)
        for name in imports(path, at_start=True)
        if within(name, CLIENT_ONLY) or within(name, tuple(p for p in PACKAGES if p != "paas"))
        if not within(name, ("router.wire",))
    ]
    assert bad == []


NOT_FOR_PS = (
    "argparse", "asyncio", "concurrent", "hashlib", "importlib.metadata", "logging", "platform",
    "secrets", "subprocess", "tempfile", "tomllib", "urllib.request", "uuid",
)  # fmt: skip
"""Parts of the standard library that cost milliseconds and that `paas ps` has no use for."""


def test_ps_loads_nothing_that_it_does_not_use() -> None:
    loaded = _loaded_by_ps()
    assert {"paas.cli.commands.ps", "paas.client.api"} <= loaded
    assert {name.split(".")[0] for name in loaded} <= {*sys.stdlib_module_names, "paas"}
    assert {name for name in loaded if within(name, NOT_FOR_PS)} == set()
    nouns = {name for name in loaded if within(name, ("paas.cli",))}
    parts = ("commands", "commands.ps", "call", "command", "parsing", "index", "output")
    assert nouns <= {"paas.cli", *(f"paas.cli.{part}" for part in parts)}


def _loaded_by_ps() -> set[str]:
    """The modules that the command has loaded once it has printed an app's instances."""
    program = (
        "import sys; first = {*sys.modules}; import paas.cli; paas.cli.main(['ps', '-a', 'x'])\n"
        "print(*{*sys.modules} - first)"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        answering = threading.Thread(target=_answer_no_dynos, args=(listening,), daemon=True)
        answering.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {**os.environ, "PAAS_API": address, "PAAS_TOKEN": "t"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        answering.join(60)
    first, _, modules = done.stdout.partition("\n")
    assert first.startswith("No instances"), done.stderr
    return set(modules.split())


def _answer_no_dynos(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


def test_every_import_is_the_projects_the_standard_librarys_or_a_declared_dependency() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["server"]]
    declared = {_plain(re.split(r"[\[<>=~!; ]", requirement)[0]) for requirement in wanted}
    distributions = importlib.metadata.packages_distributions()
    bad = [
        f"{module_of(path)} imports {name}"
        for path in sources()
        for name in imports(path)
        if (top := name.split(".")[0]) not in {*sys.stdlib_module_names, *PACKAGES}
        if declared.isdisjoint(map(_plain, distributions.get(top, [])))
    ]
    assert bad == []


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
