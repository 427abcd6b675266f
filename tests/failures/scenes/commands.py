"""Commands and scripts that are not there, or not for Linux."""

from tests.failures.scene import Scene

LOCK = "npm install --package-lock-only"
SCENES = (
    Scene(
        "command_is_dev_dependency",
        "start_needs_dev_dependency",
        "preflight",
        {
            "scripts": {"start": "cross-env A=1 node server.js"},
            "devDependencies": {"cross-env": "7.0.3"},
        },
        types=[LOCK],
    ),
    Scene(
        "command_missing_at_build",
        "command_missing",
        "build",
        {"scripts": {"build": "rimraf dist"}},
        says=["rimraf"],
    ),
    Scene(
        "command_missing_at_start",
        "command_missing",
        "start",
        {"scripts": {"start": "tsx server.js"}},
        says=["tsx"],
    ),
    Scene(
        "husky_missing",
        "command_missing",
        "install",
        {"scripts": {"prepare": "husky"}, "dependencies": {"ms": "2.1.3"}},
        types=["npm install --package-lock-only --ignore-scripts"],
        says=["husky"],
    ),
    Scene(
        "windows_command",
        "windows_command",
        "build",
        {"scripts": {"build": "xcopy server.js dist"}},
        edits={
            "package.json": (
                "xcopy server.js dist",
                "mkdir -p dist && cp -r server.js dist",
                "cp -r",
            )
        },
    ),
    Scene(
        "system_command",
        "system_command_missing",
        "build",
        {"scripts": {"build": "ffmpeg -version"}},
        edits={"package.json": ("ffmpeg -version", "true", "elsewhere")},
    ),
    Scene(
        "not_a_git_repository",
        "not_a_git_repository",
        "build",
        {"scripts": {"build": "git rev-parse HEAD > version.txt"}},
        edits={"package.json": ("git rev-parse HEAD", "echo $SOURCE_VERSION", "SOURCE_VERSION")},
    ),
    Scene(
        "missing_script",
        "missing_script",
        "build",
        {"scripts": {"build": "npm run compile"}},
        says=["compile"],
        fills={"<command>": "true"},
    ),
    Scene(
        "shell_syntax",
        "shell_syntax",
        "build",
        {"scripts": {"build": "source ./setup.sh"}},
        {"setup.sh": "true\n"},
        exit=127,
        edits={"package.json": ("source ./setup.sh", "bash -c 'source ./setup.sh'", "bash -c")},
    ),
    Scene(
        "crlf_script",
        "crlf_script",
        "build",
        {"scripts": {"build": "node scripts/x.js"}},
        {
            "scripts/x.js": "require('child_process').execFileSync('./tool', {stdio: 'inherit'})",
            "tool": "#!/usr/bin/env bash\r\ntrue\r\n",
            ".gitignore": "node_modules\n",
        },
        types=["chmod +x tool"],
    ),
    Scene(
        "not_executable",
        "not_executable",
        "build",
        {"scripts": {"build": "cp tool t && ./t"}},
        {"tool": "#!/bin/sh\ntrue\n"},
        exit=126,
        mendable=False,
    ),
    Scene(
        "script_recursion",
        "script_recursion",
        "preflight",
        {"scripts": {"build": "npm run prod", "prod": "npm run build"}},
        mendable=False,
    ),
)
