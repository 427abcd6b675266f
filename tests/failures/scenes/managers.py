"""pnpm, Yarn and Bun: what they refuse to install, and what they leave out."""

from tests.failures.scene import SERVER, Scene

PNPM10 = {"pnpm": "pnpm@10.34.9"}
PNPM12 = {"pnpm": "pnpm@12.21.0"}
YARN = {"yarn": "yarn@1.22.22"}
BERRY = {"yarn": "@yarnpkg/cli-dist@4.18.1"}
BUN = {"bun": "bun@1.4.5"}
NATIVE = "require('bcrypt');\n" + SERVER
MS = {"dependencies": {"ms": "2.1.3"}}


def of(tools: dict[str, str], name: str) -> dict[str, str]:
    """packageManager says who it is."""
    command, package = next(iter(tools.items()))
    return {"packageManager": f"{command}@{package.rpartition('@')[2]}"}


def _out_of_sync(name: str, manager: str, tools: dict[str, str], commands: list[str]) -> Scene:
    return Scene(
        f"{name}_lock_out_of_sync",
        f"{'yarn' if 'yarn' in tools else manager}_lockfile_out_of_sync",
        "install",
        {**MS, **of(tools, name)},
        types=[*commands, "npm pkg set dependencies.vary=1.1.2"],
        tools=tools,
        manager=manager,
    )


def _blocked(
    name: str, manager: str, tools: dict[str, str], commands: list[str], **files: str
) -> Scene:
    return Scene(
        f"{name}_blocked_bcrypt",
        "install_script_blocked",
        "start",
        {"dependencies": {"bcrypt": "5.1.1"}, **of(tools, name)},
        {"server.js": NATIVE, **{path.replace("__", "."): text for path, text in files.items()}},
        types=commands,
        tools=tools,
        manager=manager,
        says=["bcrypt"],
    )


def _typo(name: str, manager: str, tools: dict[str, str], commands: list[str], lock: str) -> Scene:
    return Scene(
        f"{name}_typo",
        f"{'yarn' if 'yarn' in tools else manager}_package_not_found",
        "install",
        {**MS, **of(tools, name)},
        types=[*commands, f"perl -pi -e 's/\\bms\\b/expresss-typo/g' package.json {lock}"],
        tools=tools,
        manager=manager,
        mendable=False,
    )


SETTINGS = {"_yarnrc__yml": "nodeLinker: node-modules\n"}
SCENES = (
    _out_of_sync("pnpm10", "pnpm", PNPM10, ["pnpm install --lockfile-only"]),
    _out_of_sync("pnpm12", "pnpm", PNPM12, ["pnpm install --lockfile-only"]),
    _out_of_sync("yarn", "yarn", YARN, ["yarn install"]),
    _out_of_sync(
        "berry",
        "berry",
        BERRY,
        ["printf 'nodeLinker: node-modules\\n' > .yarnrc.yml", "yarn install"],
    ),
    _out_of_sync("bun", "bun", BUN, ["bun install"]),
    _blocked("pnpm10", "pnpm", PNPM10, ["pnpm install --lockfile-only"]),
    _blocked("pnpm12", "pnpm", PNPM12, ["pnpm install --lockfile-only"]),
    _blocked(
        "berry",
        "berry",
        BERRY,
        [
            "printf 'nodeLinker: node-modules\\n' > .yarnrc.yml",
            "yarn install --mode=update-lockfile",
        ],
    ),
    _blocked("bun", "bun", BUN, ["bun install --lockfile-only"]),
    Scene(
        "pnpm_dev_dependency",
        "dev_dependency_at_run",
        "start",
        {"devDependencies": {"ms": "2.1.3"}, **of(PNPM10, "pnpm")},
        {"server.js": "require('ms');\n" + SERVER},
        types=["pnpm install --lockfile-only"],
        tools=PNPM10,
        manager="pnpm",
        says=["ms"],
    ),
    Scene(
        "yarn_dev_dependency",
        "dev_dependency_at_run",
        "start",
        {"devDependencies": {"ms": "2.1.3"}, **of(YARN, "yarn")},
        {"server.js": "require('ms');\n" + SERVER},
        types=["yarn install"],
        tools=YARN,
        manager="yarn",
        says=["ms"],
    ),
    Scene(
        "berry_dev_dependency",
        "dev_dependency_at_run",
        "start",
        {"devDependencies": {"ms": "2.1.3"}, **of(BERRY, "berry")},
        {"server.js": "require('ms');\n" + SERVER},
        types=["printf 'nodeLinker: node-modules\\n' > .yarnrc.yml", "yarn install"],
        tools=BERRY,
        manager="berry",
        says=["ms"],
    ),
    Scene(
        "bun_dev_dependency",
        "dev_dependency_at_run",
        "start",
        {"devDependencies": {"ms": "2.1.3"}, **of(BUN, "bun")},
        {"server.js": "require('ms');\n" + SERVER},
        types=["bun install"],
        tools=BUN,
        manager="bun",
        says=["ms"],
    ),
    Scene(
        "pnp_undeclared",
        "dependency_missing",
        "start",
        {"dependencies": {"vary": "1.1.2"}, **of(BERRY, "berry")},
        {"server.js": "require('vary'); require('ms');\n" + SERVER},
        types=["yarn install"],
        tools=BERRY,
        manager="berry",
        says=["ms"],
    ),
)
