"""Modules: not found, spelled otherwise, of the other kind."""

from tests.failures.scene import SERVER, Scene

LISTEN = SERVER
LOCK = "npm install --package-lock-only"
ESM = "import http from 'node:http';\nhttp.createServer((_, out) => out.end('ok')).listen(process.env.PORT);\n"

SCENES = (
    Scene(
        "wrong_case",
        "wrong_case",
        "start",
        files={"server.js": "require('./lib/Answer');\n" + LISTEN, "lib/answer.js": ""},
        says=["lib/answer.js", "server.js"],
    ),
    Scene(
        "wrong_case_of_folder",
        "wrong_case",
        "start",
        {"type": "module"},
        {"server.js": "import './Lib/answer.js';\n" + ESM, "lib/answer.js": ""},
        says=["lib/answer.js"],
    ),
    Scene(
        "wrong_case_vite",
        "wrong_case",
        "build",
        {"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7.1.12"}},
        {
            "index.html": '<script type="module" src="/src/main.js"></script>ok',
            "src/main.js": "import './App.js'",
            "src/app.js": "console.log(1)",
            "server.js": None,
        },
        types=[LOCK],
    ),
    Scene(
        "wrong_case_tsc",
        "wrong_case",
        "build",
        {
            "scripts": {"build": "tsc", "start": "node dist/server.js"},
            "devDependencies": {"typescript": "5.9.3"},
        },
        {
            "src/server.ts": "import './Answer';\ndeclare const require: any, process: any;\n"
            + LISTEN,
            "src/answer.ts": "export {}",
            "tsconfig.json": '{"compilerOptions": {"outDir": "dist", "module": "commonjs", "types": [], "noUncheckedSideEffectImports": true}, "include": ["src"]}',
        },
        types=[LOCK],
    ),
    Scene(
        "dev_dependency_at_run",
        "dev_dependency_at_run",
        "start",
        {"devDependencies": {"ms": "2.1.3"}},
        {"server.js": "require('ms');\n" + LISTEN},
        types=[LOCK],
        says=["ms", "server.js"],
    ),
    Scene(
        "dependency_missing",
        "dependency_missing",
        "start",
        files={"server.js": "require('ms');\n" + LISTEN},
        says=["ms", "server.js"],
    ),
    Scene(
        "dependency_missing_vite",
        "dependency_missing",
        "build",
        {"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7.1.12"}},
        {
            "index.html": '<script type="module" src="/src/main.js"></script>ok',
            "src/main.js": "import ms from 'ms'; console.log(ms(1))",
            "server.js": None,
        },
        types=[LOCK],
    ),
    Scene(
        "dependency_missing_tsc",
        "dependency_missing",
        "build",
        {
            "scripts": {"build": "tsc", "start": "node dist/server.js"},
            "devDependencies": {"typescript": "5.9.3"},
        },
        {
            "src/server.ts": "import nanoid = require('nanoid');\ndeclare const require: any, process: any;\nvoid nanoid;"
            + LISTEN,
            "tsconfig.json": '{"compilerOptions": {"outDir": "dist", "module": "nodenext", "types": [], "skipLibCheck": true}, "include": ["src"]}',
        },
        types=[LOCK],
    ),
    Scene(
        "dependency_missing_esm",
        "dependency_missing",
        "start",
        {"type": "module"},
        {"server.js": "import 'vary';\n" + ESM},
    ),
    Scene(
        "file_not_in_git",
        "file_not_in_git",
        "start",
        files={
            "server.js": "require('./config/local');\n" + LISTEN,
            "config/local.js": "",
            ".gitignore": "node_modules\nconfig/local.js\n",
        },
        says=["config/local", "server.js"],
        ignored=["config/local.js"],
    ),
    Scene(
        "import_without_extension",
        "import_without_extension",
        "start",
        {"type": "module"},
        {"server.js": "import './lib/answer';\n" + ESM, "lib/answer.js": ""},
        says=["server.js"],
        edits={"server.js": ("./lib/answer'", "./lib/answer.js'", "answer.js")},
    ),
    Scene(
        "import_of_folder",
        "import_of_folder",
        "start",
        {"type": "module"},
        {"server.js": "import './lib';\n" + ESM, "lib/index.js": ""},
        edits={"server.js": ("./lib'", "./lib/index.js'", "lib/index.js")},
    ),
    Scene(
        "start_file_missing_without_build",
        "start_file_missing",
        "start",
        {
            "scripts": {"start": "node dist/server.js"},
            "devDependencies": {"typescript": "5.9.3"},
        },
        {
            "src/server.ts": "declare const require: any, process: any;\n" + LISTEN,
            "tsconfig.json": '{"compilerOptions": {"outDir": "dist", "module": "commonjs", "types": []}, "include": ["src"]}',
        },
        types=[LOCK],
    ),
    Scene(
        "start_file_missing_elsewhere",
        "start_file_missing",
        "start",
        {
            "scripts": {
                "start": "node dist/main.js",
                "build": "mkdir -p out && cp server.js out/main.js",
            }
        },
        fills={"<file>": "out/main.js"},
    ),
    Scene(
        "start_file_compiled_elsewhere",
        "start_file_missing",
        "start",
        {
            "scripts": {"start": "node server.js", "build": "tsc"},
            "devDependencies": {"typescript": "5.9.3"},
        },
        {
            "server.js": None,
            "server.ts": "declare const require: any, process: any;\n" + LISTEN,
            "tsconfig.json": '{"compilerOptions": {"outDir": "out", "module": "commonjs", "types": []}}',
        },
        types=[LOCK],
        says=["server.ts", "out/server.js"],
    ),
    Scene(
        "import_outside_module",
        "import_outside_module",
        "start",
        {"type": "commonjs"},
        {"server.js": ESM},
        says=["server.js, line 1"],
    ),
    Scene(
        "require_in_module",
        "require_in_module",
        "start",
        {"type": "module"},
        says=["server.js"],
    ),
    Scene(
        "require_in_module_mixed",
        "require_in_module",
        "start",
        {"type": "module"},
        {
            "server.js": "import fs from 'node:fs';\nconst http = require('http');\nhttp.createServer((_, out) => out.end('ok')).listen(process.env.PORT);\n"
        },
        edits={
            "server.js": (
                "import fs from 'node:fs';",
                "import fs from 'node:fs'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
                "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
            )
        },
    ),
    Scene(
        "dirname_in_module",
        "dirname_in_module",
        "start",
        {"type": "module"},
        {"server.js": "console.log(__dirname);\n" + ESM},
        edits={
            "server.js": ("__dirname", "import.meta.dirname", "import.meta.dirname for __dirname")
        },
    ),
    Scene(
        "require_of_module_async",
        "require_of_module",
        "start",
        {"type": "commonjs"},
        {"server.js": "require('./a.mjs');\n" + LISTEN, "a.mjs": "await 1; export {}"},
        edits={
            "server.js": (
                "require('./a.mjs')",
                "(async () => await import('./a.mjs'))()",
                "await import(",
            )
        },
    ),
    Scene(
        "require_of_module",
        "require_of_module",
        "start",
        {"type": "commonjs", "engines": {"node": "18.x"}},
        {"server.js": "require('./a.mjs');\n" + LISTEN, "a.mjs": "export const a = 1"},
    ),
    Scene(
        "typescript_at_run_old",
        "typescript_at_run",
        "start",
        {"type": "module", "engines": {"node": "20.x"}, "scripts": {"start": "node server.ts"}},
        {"server.ts": ESM},
    ),
    Scene(
        "typescript_at_run_jsx",
        "typescript_at_run",
        "start",
        {"type": "module", "scripts": {"start": "node server.jsx"}},
        {"server.jsx": ESM},
        fills={"<file>": "server.jsx"},
    ),
    Scene(
        "typescript_at_run_enum",
        "typescript_at_run",
        "start",
        {"type": "module", "scripts": {"start": "node server.ts"}},
        {"server.ts": "enum A { B }; console.log(A.B);\n" + ESM},
        fills={"<file>": "server.ts"},
    ),
    Scene(
        "await_outside_module",
        "await_outside_module",
        "start",
        {"type": "commonjs"},
        {
            "server.js": "const http = await import('node:http');\nhttp.createServer((_, out) => out.end('ok')).listen(process.env.PORT);\n"
        },
    ),
    Scene(
        "json_import_without_type",
        "json_import_without_type",
        "start",
        {"type": "module"},
        {"server.js": "import data from './data.json';\n" + ESM, "data.json": "{}"},
        edits={
            "server.js": (
                "'./data.json';",
                "'./data.json' with { type: 'json' };",
                "with { type: 'json' };",
            )
        },
    ),
    Scene(
        "package_path_not_exported",
        "package_path_not_exported",
        "start",
        {"dependencies": {"uuid": "^9.0.1"}},
        {"server.js": "require('uuid/v4');\n" + LISTEN},
        types=[LOCK],
        says=["uuid", "./v4"],
        fills={"<version>": "3.4.0"},
    ),
    Scene(
        "export_missing",
        "export_missing",
        "start",
        {"type": "module", "dependencies": {"ms": "2.1.3"}},
        {"server.js": "import { parse } from 'ms';\n" + ESM},
        types=[LOCK],
        edits={
            "server.js": (
                "import { parse } from 'ms';",
                "import pkg from 'ms'; const { parse } = pkg;",
                "const { parse } = pkg;",
            )
        },
    ),
)
