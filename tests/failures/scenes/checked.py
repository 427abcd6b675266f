"""What is not as a lock file or a setting says: checksums, versions, files of another tool."""

from tests.failures.scene import SERVER, Scene
from tests.failures.scenes.managers import BERRY, BUN, MS, PNPM10, PNPM12, YARN, of

OLD_SHARP = """
const { createRequire } = require('node:module');
createRequire(require.resolve('ipx'))('sharp');
"""
OTHER_CHECKSUM = "perl -pi -e 's/(sha512-)[A-Za-z0-9]{6}/${1}AAAAAA/'"
NO_SUCH = "perl -pi -e 's/2\\.1\\.3/2.99.3/g' package.json"
NODE_MODULES = "printf 'nodeLinker: node-modules\\n' > .yarnrc.yml"


def _old_sharp(name: str, tools: dict[str, str], says: str) -> Scene:
    return Scene(
        f"{name}_old_sharp",
        "binary_download_failed",
        "start",
        {"dependencies": {"ipx": "1.3.1"}, **of(tools, "pnpm")},
        {"server.js": OLD_SHARP + SERVER},
        types=["pnpm install --lockfile-only"],
        tools=tools,
        manager="pnpm",
        says=[says],
    )


def _integrity(name: str, manager: str, tools: dict[str, str], commands: list[str]) -> Scene:
    return Scene(
        f"{name}_integrity",
        f"{name}_integrity",
        "install",
        {**MS, **of(tools, name)} if tools else MS,
        types=commands,
        tools=tools,
        manager=manager,
    )


def _bad_version(name: str, tools: dict[str, str], commands: list[str], lock: str) -> Scene:
    return Scene(
        f"{name}_bad_version",
        f"{name}_bad_version",
        "install",
        {**MS, **of(tools, name)},
        types=[*commands, f"{NO_SUCH} {lock}"],
        tools=tools,
        manager=name,
        says=["ms 2.99.3"],
    )


SCENES = (
    _old_sharp("pnpm10", PNPM10, "npm pkg set pnpm.overrides.sharp=^0.34"),
    _old_sharp("pnpm12", PNPM12, "pnpm config set --location=project overrides"),
    _integrity(
        "npm",
        "npm",
        {},
        ["npm install --package-lock-only", f"{OTHER_CHECKSUM} package-lock.json"],
    ),
    _integrity("yarn", "yarn", YARN, ["yarn install", f"{OTHER_CHECKSUM} yarn.lock"]),
    _integrity(
        "pnpm", "pnpm", PNPM10, ["pnpm install --lockfile-only", f"{OTHER_CHECKSUM} pnpm-lock.yaml"]
    ),
    _integrity("bun", "bun", BUN, ["bun install", f"{OTHER_CHECKSUM} bun.lock"]),
    _bad_version("yarn", YARN, ["yarn install"], "yarn.lock"),
    _bad_version("pnpm", PNPM10, ["pnpm install --lockfile-only"], "pnpm-lock.yaml"),
    _bad_version("bun", BUN, ["bun install"], "bun.lock"),
    Scene(
        "pnpm_lock_of_another",
        "pnpm_lockfile_unreadable",
        "install",
        {**MS, **of(PNPM10, "pnpm")},
        types=["pnpm install --lockfile-only"],
        tools={"pnpm": "pnpm@7.33.7"},
        manager="pnpm",
    ),
    Scene(
        "pnpm9_workspace_file",
        "pnpm_workspace_file",
        "install",
        {**MS, "packageManager": "pnpm@9.15.9"},
        {"pnpm-workspace.yaml": "onlyBuiltDependencies:\n  - ms\n"},
        types=["pnpm install --lockfile-only"],
        tools=PNPM10,
        manager="pnpm",
    ),
    Scene(
        "yarn_setting_in_a_config_var",
        "yarn_settings_unknown",
        "install",
        {**MS, **of(BERRY, "berry")},
        types=[NODE_MODULES, "yarn install"],
        tools=BERRY,
        manager="berry",
        config=["YARN_COLOUR_OF_YARN=blue"],
        fills={"<its name>": "YARN_COLOUR_OF_YARN"},
    ),
    Scene(
        "typescript_that_is_newer",
        "typescript_option",
        "build",
        {
            "scripts": {"build": "tsc", "start": "node server.js"},
            "devDependencies": {"typescript": "6.0.3"},
        },
        {
            "tsconfig.json": '{"compilerOptions": {"target": "es3", "noEmit": true}}',
            "a.ts": "export const a = 1;\n",
        },
        types=["npm install --package-lock-only"],
        exit=2,
        fills={"<version>": "4.9.5"},
    ),
    Scene(
        "types_that_are_not_named",
        "types_not_named",
        "build",
        {
            "scripts": {"build": "tsc", "start": "node server.js"},
            "devDependencies": {"typescript": "6.0.3", "@types/node": "24.0.0"},
        },
        {
            "tsconfig.json": '{"compilerOptions": {"noEmit": true, "skipLibCheck": true, "types": []}}',
            "a.ts": "export const a = process.version;\n",
        },
        types=["npm install --package-lock-only"],
        exit=2,
        edits={"tsconfig.json": ('"types": []', '"types": ["node"]', '"types": ["node"]')},
    ),
    Scene(
        "removed_from_node",
        "removed_from_node",
        "start",
        {"scripts": {"start": "node server.js"}},
        {"server.js": "const util = require('util');\nutil.isRegExp(/a/);\n" + SERVER},
        says=["util.isRegExp"],
    ),
    Scene(
        "no_middleware",
        "middleware_expected",
        "start",
        {"dependencies": {"express": "4.22.3"}, "scripts": {"start": "node server.js"}},
        {
            "router.js": "exports.router = (_, out) => out.end('ok');\n",
            "server.js": "require('express')().use(require('./router'))"
            ".listen(process.env.PORT);\n",
        },
        types=["npm install --package-lock-only"],
        edits={
            "router.js": ("exports.router =", "module.exports =", "module.exports = router"),
        },
    ),
)
