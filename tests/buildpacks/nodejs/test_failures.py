"""A failed step is explained by its last output. The outputs are those of the real tools."""

import pytest

from buildpacks.nodejs.failures import classify
from tests.buildpacks.nodejs.trees import app

CASES = [
    ("install", 1, "npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages "
     "when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.",
     "npm_lockfile_out_of_sync"),
    ("install", 1, "npm error `npm ci` can only install packages when your package.json and "
     "package-lock.json are in sync.\nnpm error Missing: windows-start-time@ from lock file",
     "npm_package_not_found"),
    ("install", 1, "npm error code ERESOLVE\nnpm error ERESOLVE could not resolve",
     "npm_peer_dependency_conflict"),
    ("install", 1, "npm warn ERESOLVE overriding peer dependency\nnpm error code 1\n"
     "npm error sharp: Installation error: getaddrinfo ENOTFOUND github.com",
     "binary_download_failed"),
    ("install", 1, "npm error path /app/node_modules/sqlite3\nnpm error command failed\n"
     "npm error prebuild-install warn install getaddrinfo ENOTFOUND github.com",
     "network_at_install"),
    ("install", 1,
     "npm error code ETARGET\nnpm error notarget No matching version found for a@9.\n",
     "npm_bad_version"),
    ("install", 1, "npm error code E404\nnpm error 404  'expres@1' is not in this registry.",
     "npm_package_not_found"),
    ("install", 1, "npm error code E401\nnpm error Incorrect or missing password.",
     "npm_unauthorized"),
    ("install", 1, "npm error code EINTEGRITY", "npm_integrity"),
    ("install", 1, "npm error code EBADPLATFORM\nnpm error notsup Unsupported platform for "
     "fsevents@2.3.3: wanted {}", "npm_bad_platform"),
    ("install", 1, "gyp ERR! build error\ngyp ERR! stack Error: `make` failed",
     "native_module_failed"),
    ("install", 1, "npm error code ECONNREFUSED", "econnreset"),
    ("install", 1, "npm warn fetch failed ECONNRESET, attempt 1\nnpm error code ELIFECYCLE",
     "install_failed"),
    ("install", 1, "npm error code 128\nnpm error An unknown git error occurred",
     "npm_git_dependency"),
    ("install", 1, "git@github.com: Permission denied (publickey).\nnpm error code 128",
     "private_git_dependency_without_auth"),
    ("install", 1, ' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because '
     "pnpm-lock.yaml is not up to date with package.json", "pnpm_lockfile_out_of_sync"),
    ("install", 1, " ERR_PNPM_FROZEN_LOCKFILE_WITH_OUTDATED_LOCKFILE  Cannot perform a frozen "
     "installation because the version of the lockfile is incompatible with this version of pnpm",
     "pnpm_lockfile_unreadable"),
    ("install", 1, "Error: ERR_PNPM_IGNORED_BUILDS\n\n  × installing dependencies\n"
     "  ╰─▶ Ignored build scripts: esbuild@0.25.12\n", "install_script_blocked"),
    ("install", 1, " ERR_PNPM_UNSUPPORTED_ENGINE  Unsupported environment (bad pnpm and/or Node.js "
     'version)\n\nYour Node version is incompatible with "/app".', "pnpm_unsupported_engine"),
    ("install", 1, 'Error: ERR_PNPM_UNSUPPORTED_ENGINE\n\n  × Unsupported engine for /app: wanted: '
     '{"node":"99"} (current:', "pnpm_unsupported_engine"),
    ("install", 1, "Error: ERR_PNPM_NO_MATCHING_VERSION\n\n  × installing dependencies\n  ├─▶ "
     "Failed to resolve dependency tree: No matching version found for\n  │   ms@99.9.9 while",
     "pnpm_bad_version"),
    ("install", 1, " ERR_PNPM_NO_MATURE_MATCHING_VERSION  Version 1.0.1 of x does not meet the "
     "minimumReleaseAge constraint", "pnpm_too_new_version"),
    ("install", 1, " ERR_PNPM_FETCH_404  GET x: Not Found - 404\n\nexpres is not in the npm "
     "registry, or you have no permission to fetch it.", "pnpm_package_not_found"),
    ("install", 1, " ERR_PNPM_FETCH_401  GET x: Unauthorized - 401", "pnpm_unauthorized"),
    ("install", 1, 'Error:   × installing dependencies\n"lib@workspace:*" is in the dependencies '
     "but no\n  │   package named", "pnpm_workspace_package_not_found"),
    ("install", 1, " ERR_PNPM_PEER_DEP_ISSUES  Unmet peer dependencies",
     "pnpm_peer_dependency_conflict"),
    ("install", 1, " ERR_PNPM_TARBALL_INTEGRITY  Got unexpected checksum", "pnpm_integrity"),
    ("install", 1, "Error: ERR_PNPM_PATCH_NOT_FOUND\n", "pnpm_patch_failed"),
    ("install", 1, " ERR_PNPM_INVALID_WORKSPACE_CONFIGURATION  packages field missing or empty",
     "pnpm_workspace_file"),
    ("install", 1, " ECONNREFUSED  request to http://x/ms.tgz failed, reason: connect ECONNREFUSED",
     "econnreset"),
    ("install", 1, " WARN  GET x error (ERR_PNPM_TARBALL_INTEGRITY). Will retry in 10 seconds.",
     "install_failed"),
    ("install", 1, "error Your lockfile needs to be updated, but yarn was run with "
     "`--frozen-lockfile`.", "yarn_lockfile_out_of_sync"),
    ("install", 1, "error Couldn't find any versions for \"ms\" that matches \"99.9.9\"",
     "yarn_bad_version"),
    ("install", 1, "error Couldn't find package \"expres\" on the \"npm\" registry.",
     "yarn_package_not_found"),
    ("install", 1, "error An unexpected error occurred: \"https://x/a: Request failed "
     "\\\"401 Unauthorized\\\"\".", "yarn_unauthorized"),
    ("install", 1, "error https://x/ms-2.1.3.tgz: Integrity check failed for \"ms\" (computed",
     "yarn_integrity"),
    ("install", 1, "error a@1.0.0: The engine \"node\" is incompatible with this module.",
     "yarn_bad_engine"),
    ("install", 1, "error An unexpected error occurred: \"https://x/a: connect ECONNREFUSED\".",
     "econnreset"),
    ("install", 1, "Usage Error: Unrecognized or legacy configuration settings found: production - "
     'run "yarn config" to see the list of settings supported in Yarn (in <environment>)',
     "yarn_settings_unknown"),
    ("install", 1, "➤ YN0056: │ ms@npm:2.1.3: Cache entry required but missing",
     "yarn_zero_install_incomplete"),
    ("install", 1, "➤ YN0028: │ The lockfile would have been modified by this install, which is",
     "yarn_lockfile_out_of_sync"),
    ("install", 1, "➤ YN0018: │ ms@npm:2.1.3: The remote archive doesn't match the expected",
     "yarn_integrity"),
    ("install", 1, "➤ YN0082: │ ms@npm:99.9.9: No candidates found", "yarn_bad_version"),
    ("install", 1, "➤ YN0035: │ expres@npm:1: Package not found", "yarn_package_not_found"),
    ("install", 1, "➤ YN0041: │ a@npm:1: Invalid authentication", "yarn_unauthorized"),
    ("install", 1, "➤ YN0009: │ cl@npm:1.0.0 couldn't be built successfully (exit code 3",
     "yarn_build_failed"),
    ("install", 1, "➤ YN0001: │ RequestError: connect ECONNREFUSED 127.0.0.1:9", "econnreset"),
    ("install", 1, "error: lockfile had changes, but lockfile is frozen\nnote: try re-running",
     "bun_lockfile_out_of_sync"),
    ("install", 1, 'error: No version matching "99.9.9" found for specifier "ms" (but package',
     "bun_bad_version"),
    ("install", 1, "error: GET https://x/expres - 404\nerror: expres@1 failed to resolve",
     "bun_package_not_found"),
    ("install", 1, "error: GET https://x/a - 401", "bun_unauthorized"),
    ("install", 1, "error: Integrity check failed for tarball: ms", "bun_integrity"),
    ("install", 1, 'error: postinstall script from "cl" exited with 3', "bun_build_failed"),
    ("install", 1, "error: ConnectionRefused downloading package manifest ms", "econnreset"),
    ("install", 1, "npm ERR! gyp ERR! find Python checking if \"python2\" can be used\n"
     "npm ERR! gyp ERR! stack Error: Could not find any Python installation to use",
     "compiler_missing"),
    ("install", 1, "gyp ERR! build error\ngyp ERR! stack Error: not found: make\n"
     "gyp ERR! stack     at getNotFoundError (/app/node_modules/which/which.js:13:12)",
     "compiler_missing"),
    ("install", 1, "gyp ERR! configure error\ngyp ERR! stack Error: Can't find Python executable "
     '"python", you can set the PYTHON env variable.', "python_2_wanted"),
    ("install", 1, "error /app/node_modules/better-sqlite3: Command failed.\nExit code: 1\n"
     "Command: prebuild-install || npm run build-release\nArguments:", "install_script_failed"),
    ("install", 1, "npm ERR! prebuild-install WARN install No prebuilt binaries found "
     "(target=21.2.0 runtime=node arch=x64)\nnpm ERR! gyp info using node-gyp@10.0.1\n"
     "npm ERR! gyp ERR! cwd /app/node_modules/better-sqlite3", "native_module_failed"),
    ("build", 1, "Error: Cannot find module @rollup/rollup-linux-x64-gnu. npm has a bug related to "
     "optional dependencies", "optional_package_missing"),
    ("start", 1, "Error: Could not load the \"sharp\" module using the linux-x64 runtime\n"
     "Possible solutions:\n- Ensure optional dependencies can be installed:",
     "optional_package_missing"),
    ("start", 1, "node: ../src/node_platform.cc:61: Assertion `(0) == (uv_thread_create(t.get(), "
     "start_thread, this))' failed.", "no_more_processes"),
    ("build", 1, "Error: Invalid environment variables\n    at createEnv", "config_var_missing"),
    ("build", 1, "Invalid environment variables: {\n  DATABASE_URL: [ 'Required' ]\n}",
     "config_var_missing"),
    ("start", 0, "error: Failed to lift app: Error:\nNo `sails.config.sockets.onlyAllowOrigins` or "
     "`sails.config.sockets.beforeConnect`\nsetting was detected.", "sails_origins_missing"),
    ("install", 228, "npm error code ENOSPC\nnpm error nospc", "out_of_disk"),
    ("install", 137, "", "build_out_of_memory"),
    ("install", None, "", "build_timeout"),
    ("build", 127, "> build\n> tsc\n\nsh: 1: tsc: not found", "command_not_found"),
    ("build", 2, "src/a.ts(1,7): error TS2322: Type 'string' is not", "typescript_error"),
    ("build", 134, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of "
     "memory", "node_out_of_memory"),
    ("build", 1, "getaddrinfo ENOTFOUND fonts.googleapis.com", "fonts_unreachable"),
    ("build", 1, "code: 'ERR_OSSL_EVP_UNSUPPORTED'", "openssl_unsupported_algorithm"),
    ("build", 1, "npm error Missing script: \"biuld\"", "missing_script"),
    ("build", 3, "boom", "build_script_failed"),
    ("cleanup", 3, "boom", "script_failed"),
    ("install", 9, "node: --bogus is not allowed in NODE_OPTIONS", "node_options_refused"),
    ("start", 1, "Error: Cannot find module 'ms'\nRequire stack:\n- internal/preload",
     "node_options_module_missing"),
    ("start", 1, "/app/index.js:3\nconst = 1;\n      ^\n\nSyntaxError: Unexpected token '='",
     "syntax_error"),
    ("start", 1, "Error: Cannot find module 'express'\nRequire stack:", "module_not_found"),
    ("start", 1, "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'a' imported from /app/x",
     "module_not_found"),
    ("start", 1, "SyntaxError: Cannot use import statement outside a module",
     "import_outside_module"),
    ("start", 1, "ReferenceError: require is not defined in ES module scope",
     "require_in_module"),
    ("start", 127, "sh: 1: nodemon: not found", "command_not_found"),
    ("start", 127, 'web.1 could not start: exec: "nodemon": executable file not found in $PATH',
     "command_not_found"),
    ("start", 127, "/usr/bin/env: \u2018node\\r\u2019: No such file or directory\n"
     "/usr/bin/env: use -[v]S to pass options in shebang lines", "crlf_script"),
    ("build", 127, "env: 'bash'$'\\r': No such file or directory", "crlf_script"),
    ("build", 126, "sh: 1: ./build.sh: Permission denied", "not_executable"),
    ("start", 126, "sh: 1: exec: ./c: Permission denied", "not_executable"),
    ("start", 1, 'web.1 could not start: exec: "./c": permission denied', "not_executable"),
    ("start", 1, "Error: listen EADDRINUSE: address already in use :::5000", "port_in_use"),
    ("start", 1, "Error: listen EACCES: permission denied 0.0.0.0:80", "port_forbidden"),
    ("start", 1, "Error: connect ECONNREFUSED 127.0.0.1:5432", "database_on_localhost"),
    ("start", 1, "Error: connect ECONNREFUSED 10.1.2.3:4000", "database_unreachable"),
    ("start", 1, "code: 'ERR_DLOPEN_FAILED'", "native_module_missing"),
    ("start", 137, "", "out_of_memory"),
    ("start", 0, "done", "exited_at_start"),
    ("start", 7, "oh", "crashed_at_start"),
    ("start", None, "", "port_never_opened"),
    ("start", None, "Server listening on port 3000", "wrong_port"),
    ("start", None, "ready - started server on http://localhost:3000", "wrong_port"),
    ("start", None, "🦊 Elysia is running at localhost:8080", "wrong_port"),
    ("start", None, "Listening on 127.0.0.1:5000", "bound_to_loopback"),
    ("start", None, "Server on 4567", "wrong_port"),
    ("start", None, "Server started on 2026-11-22", "port_never_opened"),
    ("start", None, "connected to db:5432", "port_never_opened"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "code", "tail", "id_"), CASES)
def test_a_failure_is_named(step: str, code: int | None, tail: str, id_: str) -> None:
    failure = classify(step, code, tail, port=5000)
    assert failure.id == id_
    assert failure.message
    assert failure.hint
    assert "{" not in failure.message


def test_messages_name_the_thing() -> None:
    assert classify("start", 1, "Error: Cannot find module 'express'").message == (
        "there is no module express"
    )
    assert classify("build", 127, "sh: 1: tsc: not found").message == "there is no command tsc"
    assert classify("start", None, "listening on 3000").hint.startswith(
        "app.listen(process.env.PORT"
    )
    wrong = classify("start", None, "App listening on port 3000", port=5000)
    assert wrong.hint == "app.listen(process.env.PORT || 3000)"
    assert "_authToken=${NPM_TOKEN}" in classify("install", 1, "npm error code E403").hint


def test_all_config_vars_that_are_missing_are_named_at_once() -> None:
    said = '- Missing environment variable "APP_KEY"\n- Missing environment variable "HOST"\n'
    failure = classify("start", 1, said, config=["PORT"])
    assert failure.message == "the config vars APP_KEY, HOST are not set"
    assert failure.hint == "paas config:set APP_KEY=<value> HOST=<value>"
    failure = classify("start", 1, said, config=["APP_KEY"])
    assert failure.message == "the config var HOST is not set"


@pytest.mark.parametrize(
    ("source", "options", "built"),
    [
        ("server", '{"outDir": "out"}', "out/server.js"),
        ("src/server", '{"outDir": "./dist", /* all */ "rootDir": "./src",}', "dist/server.js"),
        ("bin/server", '{"outDir": "./build", "rootDir": "./"}', "build/bin/server.js"),
    ],
)
def test_what_is_compiled_elsewhere_is_started_there(source: str, options: str, built: str) -> None:
    files = {f"{source}.ts": "", "tsconfig.json": f'{{"compilerOptions": {options}}}'}
    tree = app(files, scripts={"start": f"node {source}.js", "build": "tsc"})
    said = f"Error: Cannot find module '/app/{source}.js'\n    at Module._resolveFilename"
    failure = classify("start", 1, said, tree=tree)
    assert failure.hint.startswith(f"npm pkg set scripts.start='node {built}' && git add")
    assert f"{source}.ts" in failure.message


def test_what_could_not_be_compiled_is_no_tool_of_the_compilation() -> None:
    said = (
        "gyp ERR! stack Error: `make` failed with exit code: 2\n"
        "gyp ERR! stack     at onExit (/app/node_modules/node-gyp/lib/build.js:194:23)\n"
        'gyp ERR! command "/opt/node/bin/node" "/app/node_modules/.bin/node-gyp" "rebuild"\n'
    )
    assert "node-gyp" not in classify("install", 1, said).message
    named = classify("install", 1, f"{said}gyp ERR! cwd /app/node_modules/isolated-vm\n").message
    assert named == "isolated-vm could not be compiled"


def test_an_old_sharp_is_replaced_wherever_it_comes_from() -> None:
    said = "sharp: Installation error: getaddrinfo ENOTFOUND github.com"
    for manager, command in (
        ("npm", "npm pkg set overrides.sharp=^0.34 && npm install && git add "),
        ("yarn", "npm pkg set resolutions.sharp=^0.34 && yarn install && git add "),
    ):
        assert classify("install", 1, said, manager=manager).hint.startswith(command)
    own = app({}, dependencies={"sharp": "0.32.6"})
    assert classify("install", 1, said, tree=own).hint.startswith("npm install sharp@^0.34 && git")


@pytest.mark.parametrize(
    ("asked", "command", "files"),
    [
        ({}, "npm pkg set pnpm.overrides.sharp=^0.34", "package.json pnpm-lock.yaml"),
        (
            {"packageManager": "pnpm@12.21.0"},
            """pnpm config set --location=project overrides '{"sharp":"^0.34"}' --json""",
            "package.json pnpm-lock.yaml pnpm-workspace.yaml",
        ),
    ],
)
def test_a_sharp_that_pnpm_did_not_build_is_replaced_where_that_pnpm_reads_it(
    asked: dict[str, str], command: str, files: str
) -> None:
    said = (
        'Error: \nSomething went wrong installing the "sharp" module\n\n'
        "Cannot find module '../build/Release/sharp-linux-x64.node'\nRequire stack:\n"
        "- /app/node_modules/.pnpm/sharp@0.32.6/node_modules/sharp/lib/sharp.js\n"
    )
    failure = classify("start", 1, said, manager="pnpm", tree=app({}, **asked))
    assert failure.id == "binary_download_failed"
    install = "pnpm install --lockfile-only --no-frozen-lockfile"
    assert failure.hint.startswith(f"{command} && {install} && git add {files} && git commit")


def test_braces_of_a_tenant_are_only_text() -> None:
    assert classify("start", 1, "Cannot find module '{0.__class__}'").message == (
        "there is no module {0.__class__}"
    )
