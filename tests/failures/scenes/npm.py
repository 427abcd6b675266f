"""npm: what it refuses to install."""

from tests.failures.scene import Scene

NPM12 = {"npm": "npm@12.2.2"}
SCENES = (
    Scene(
        "npm_lock_out_of_sync",
        "npm_lockfile_out_of_sync",
        "preflight",
        {"dependencies": {"ms": "2.1.3"}},
        types=["npm install --package-lock-only", "npm pkg set dependencies.vary=1.1.2"],
        says=["vary"],
    ),
    Scene(
        "npm_lock_deep_out_of_sync",
        "npm_lockfile_out_of_sync",
        "install",
        {"dependencies": {"debug": "4.3.4"}},
        types=[
            "npm install --package-lock-only",
            """node -e 'const l = JSON.parse(fs.readFileSync("package-lock.json")); delete l.packages["node_modules/ms"]; fs.writeFileSync("package-lock.json", JSON.stringify(l))'""",
        ],
        says=["ms"],
    ),
    Scene(
        "npm_eresolve",
        "npm_peer_dependency_conflict",
        "install",
        {
            "dependencies": {
                "react": "18.2.0",
                "react-dom": "18.2.0",
                "@testing-library/react-hooks": "8.0.1",
            }
        },
        types=["npm install --package-lock-only --legacy-peer-deps"],
        says=["@testing-library/react-hooks"],
        takes_other=True,
    ),
    Scene(
        "npm_etarget",
        "npm_bad_version",
        "install",
        {"dependencies": {"ms": "2.1.3"}},
        types=[
            "npm install --package-lock-only",
            "perl -pi -e 's/2[.]1[.]3/2.1.99/' package.json package-lock.json",
        ],
    ),
    Scene(
        "npm_e404",
        "npm_package_not_found",
        "install",
        {"dependencies": {"ms": "2.1.3"}},
        says=["expresss-typo"],
        fills={"<its name>": "ms"},
        types=[
            "npm install --package-lock-only",
            'perl -pi -e \'s/"(node_modules.)?ms"/"$1expresss-typo"/; s/.*resolved.*//; s/.*integrity.*//\' package.json package-lock.json',
        ],
    ),
    Scene(
        "npm_ebadengine_strict",
        "npm_bad_engine",
        "install",
        {"dependencies": {"bad": "file:bad"}},
        {
            ".npmrc": "engine-strict=true\n",
            "bad/package.json": '{"name":"bad","version":"1.0.0","engines":{"node":">=26"}}',
        },
        types=["npm install --package-lock-only --no-engine-strict"],
    ),
    Scene(
        "npm_ebadplatform",
        "npm_bad_platform",
        "install",
        {"dependencies": {"fsevents": "2.3.3"}},
        types=["npm install --package-lock-only --force"],
        says=["fsevents"],
    ),
    Scene(
        "npm_git_ssh",
        "git_host_unreachable",
        "install",
        {"dependencies": {"ms": "2.1.3"}},
        types=[
            "npm install --package-lock-only",
            'perl -pi -e \'s/"2[.]1[.]3"/"git+ssh:\\/\\/git\\@github.com\\/x\\/ms.git#abc"/; s/"resolved": .*/"resolved": "git+ssh:\\/\\/git\\@github.com\\/x\\/ms.git#1111111111111111111111111111111111111111",/; s/.*"integrity.*//\' package.json package-lock.json',
        ],
        says=["github.com"],
        mendable=False,
    ),
    Scene(
        "npm12_blocked_bcrypt",
        "install_script_blocked",
        "start",
        {"dependencies": {"bcrypt": "5.1.1"}, "packageManager": "npm@12.2.2"},
        {
            "server.js": "require('bcrypt');require('http').createServer((_, out) => out.end('ok')).listen(process.env.PORT);"
        },
        types=["npm install --package-lock-only"],
        tools=NPM12,
        says=["bcrypt"],
    ),
    Scene(
        "npm_private",
        "npm_package_not_found",
        "install",
        {"dependencies": {"ms": "2.1.3"}},
        types=[
            "npm install --package-lock-only",
            'perl -pi -e \'s/"(node_modules.)?ms"/"$1\\@acme-private-x\\/ui"/; s/.*resolved.*//; s/.*integrity.*//\' package.json package-lock.json',
        ],
        says=["@acme-private-x/ui"],
        mendable=False,
    ),
)
