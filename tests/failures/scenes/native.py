"""Native modules and binaries."""

from tests.failures.scene import SERVER, Scene

LOCK = "npm install --package-lock-only"
SCENES = (
    Scene(
        "node_modules_of_a_mac",
        "binary_of_another_system",
        "start",
        files={
            "server.js": "require('./node_modules/native/a.node');\n" + SERVER,
            ".gitignore": "",
            "node_modules/native/a.node": "not for Linux at all" * 10,
        },
        mendable=False,
    ),
    Scene(
        "binary_in_git",
        "binary_of_another_system",
        "start",
        files={
            "server.js": "try { require('./a.node') } catch (e) { if (require('fs').existsSync('a.node')) throw e }\n"
            + SERVER,
            "a.node": "not for Linux at all" * 10,
        },
        says=["a.node"],
    ),
    Scene(
        "prisma_not_generated",
        "prisma_client_not_generated",
        "start",
        {
            "dependencies": {"@prisma/client": "6.17.1", "prisma": "6.17.1"},
            "scripts": {"start": "node server.js"},
        },
        {
            "server.js": "const { PrismaClient } = require('@prisma/client');\nnew PrismaClient();\n"
            + SERVER,
            ".npmrc": "ignore-scripts=true\n",
        },
        types=[LOCK],
        mendable=False,
    ),
    Scene(
        "sharp_of_another_system",
        "optional_package_missing",
        "start",
        {"dependencies": {"sharp": "0.34.4"}},
        {"server.js": "require('sharp');\n" + SERVER},
        types=[
            LOCK,
            """node -e 'const l = JSON.parse(fs.readFileSync("package-lock.json")); for (const n of Object.keys(l.packages)) if (/@img.sharp-(libvips-)?linux/.test(n)) delete l.packages[n]; for (const p of Object.values(l.packages)) for (const n of Object.keys(p.optionalDependencies ?? {})) if (/sharp-(libvips-)?linux/.test(n)) delete p.optionalDependencies[n]; fs.writeFileSync("package-lock.json", JSON.stringify(l, null, 2))'""",
        ],
        says=["sharp"],
    ),
    Scene(
        "native_module_failed",
        "native_module_failed",
        "install",
        {"dependencies": {"bad-native": "file:bad-native"}},
        {
            ".npmrc": "install-links=true\n",
            "bad-native/package.json": '{"name": "bad-native", "version": "1.0.0", "gypfile": true, "scripts": {"install": "node-gyp rebuild"}}',
            "bad-native/binding.gyp": '{"targets": [{"target_name": "a", "sources": ["a.cc"]}]}',
            "bad-native/a.cc": "#include <node.h>\nint main() { return v8::Nothing; }\n",
        },
        types=["npm install --package-lock-only --install-links"],
        mendable=False,
    ),
    Scene(
        "library_headers_missing",
        "library_headers_missing",
        "install",
        {"dependencies": {"bad-native": "file:bad-native"}},
        {
            ".npmrc": "install-links=true\n",
            "bad-native/package.json": '{"name": "bad-native", "version": "1.0.0", "gypfile": true, "scripts": {"install": "node-gyp rebuild"}}',
            "bad-native/binding.gyp": '{"targets": [{"target_name": "a", "sources": ["a.cc"]}]}',
            "bad-native/a.cc": "#include <vips/vips.h>\n",
        },
        types=["npm install --package-lock-only --install-links"],
        says=["vips/vips.h"],
        mendable=False,
    ),
    Scene(
        "canvas_without_libraries",
        "library_headers_missing",
        "install",
        {"dependencies": {"canvas": "2.11.2"}},
        types=[LOCK],
        says=["canvas"],
        mendable=False,
    ),
    Scene(
        "install_script_failed",
        "install_script_failed",
        "install",
        {"dependencies": {"bad": "file:bad"}},
        {
            ".npmrc": "install-links=true\n",
            "bad/package.json": '{"name": "bad", "version": "1.0.0", "scripts": {"postinstall": "node nothing.js"}}',
        },
        types=["npm install --package-lock-only --install-links --ignore-scripts"],
        mendable=False,
    ),
    Scene(
        "own_install_script_failed",
        "own_install_script_failed",
        "install",
        {"scripts": {"postinstall": "node -e 'process.exit(3)'"}, "dependencies": {"ms": "2.1.3"}},
        types=[LOCK + " --ignore-scripts"],
        exit=3,
        mendable=False,
    ),
    Scene(
        "puppeteer_without_chrome",
        "binary_download_failed",
        "install",
        {"dependencies": {"puppeteer": "24.24.0"}},
        types=[LOCK + " --ignore-scripts"],
        says=["puppeteer"],
    ),
    Scene(
        "out_of_disk",
        "out_of_disk",
        "build",
        {
            "scripts": {
                "build": "fallocate -l 30G big || dd if=/dev/zero of=/dev/full bs=1M count=1"
            }
        },
        mendable=False,
    ),
    Scene(
        "build_heap",
        "node_out_of_memory",
        "build",
        {"scripts": {"build": "node --max-old-space-size=40 heap.js"}},
        {
            "heap.js": "const kept = [];\nfor (;;) kept.push(Array.from({ length: 1e4 }, (_, i) => ({ i })));\n"
        },
        exit=134,
        mendable=False,
    ),
)
