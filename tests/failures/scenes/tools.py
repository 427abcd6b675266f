"""Builds: TypeScript, bundlers, frameworks, Prisma, versions of Node.js."""

from tests.failures.scene import SERVER, Scene

LOCK = "npm install --package-lock-only"
TSC = {
    "scripts": {"build": "tsc", "start": "node dist/server.js"},
    "devDependencies": {"typescript": "5.9.3"},
}
DECLARED = "declare const require: any, process: any;\n"
CONFIG = '{"compilerOptions": {"outDir": "dist", "module": "commonjs", "strict": true, "types": [], "skipLibCheck": true}, "include": ["src"]}'
NEXT = {"next": "15.5.6", "react": "19.2.0", "react-dom": "19.2.0"}
PAGE = "export default function Page() { return 'ok' }\n"
LAYOUT = (
    "export default function Layout({ children }) { return <html><body>{children}</body></html> }\n"
)

SCENES = (
    Scene(
        "types_missing",
        "types_missing",
        "build",
        {**TSC, "dependencies": {"express": "4.21.2"}},
        {
            "src/server.ts": "import express from 'express';\n"
            + DECLARED
            + "express().get('/', (_: any, out: any) => out.end('ok')).listen(process.env.PORT);\n",
            "tsconfig.json": CONFIG.replace('"types": []', '"esModuleInterop": true'),
        },
        types=[LOCK],
        says=["@types/express"],
    ),
    Scene(
        "types_of_node_missing",
        "types_missing",
        "build",
        TSC,
        {
            "src/server.ts": "declare const require: any;\n"
            + SERVER.replace("(_, out)", "(_: any, out: any)"),
            "tsconfig.json": CONFIG.replace('"types": [], ', ""),
        },
        types=[LOCK],
        says=["@types/node"],
    ),
    Scene(
        "typescript_error",
        "typescript_error",
        "build",
        TSC,
        {
            "src/server.ts": "const n: number = 'x';\n"
            + DECLARED
            + SERVER.replace("(_, out)", "(_: any, out: any)"),
            "tsconfig.json": CONFIG,
        },
        types=[LOCK],
        exit=2,
        says=["src/server.ts, line 1", "TS2322"],
        mendable=False,
    ),
    Scene(
        "typescript_no_input",
        "typescript_no_input",
        "build",
        TSC,
        {"tsconfig.json": CONFIG},
        types=[LOCK],
        exit=2,
        mendable=False,
    ),
    Scene(
        "next_export_started",
        "next_export_started",
        "start",
        {"dependencies": NEXT, "scripts": {"start": "next start", "build": "next build"}},
        {
            "app/page.jsx": PAGE,
            "app/layout.jsx": LAYOUT,
            "server.js": None,
            "next.config.mjs": "export default { output: 'export' };\n",
        },
        types=[LOCK],
    ),
    Scene(
        "fonts_unreachable",
        "fonts_unreachable",
        "build",
        {"dependencies": NEXT, "scripts": {"start": "next start", "build": "next build"}},
        {
            "app/page.jsx": PAGE,
            "app/layout.jsx": "import { Inter } from 'next/font/google';\nconst font = Inter({ subsets: ['latin'] });\n"
            + LAYOUT.replace("<body>", "<body className={font.className}>"),
            "server.js": None,
        },
        types=[LOCK],
        edits={
            "app/layout.jsx": (
                "import { Inter } from 'next/font/google';\nconst font = Inter({ subsets: ['latin'] });",
                "import { GeistSans } from 'geist/font/sans';\nconst font = GeistSans;",
                "import { GeistSans } from 'geist/font/sans'",
            )
        },
    ),
    Scene(
        "entry_missing",
        "entry_missing",
        "build",
        {"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7.1.12"}},
        types=[LOCK],
        says=["index.html"],
        mendable=False,
    ),
    Scene(
        "webpack4_openssl",
        "openssl_unsupported_algorithm",
        "build",
        {
            "scripts": {"build": "webpack --mode production"},
            "devDependencies": {"webpack": "4.47.0", "webpack-cli": "4.10.0"},
        },
        {"src/index.js": "console.log(1)"},
        types=[LOCK],
    ),
    Scene(
        "webpack_dependency_missing",
        "dependency_missing",
        "build",
        {
            "scripts": {"build": "webpack --mode production"},
            "devDependencies": {"webpack": "5.102.1", "webpack-cli": "6.0.1"},
        },
        {"src/index.js": "import ms from 'ms'; console.log(ms(1))"},
        types=[LOCK],
        says=["ms"],
    ),
    Scene(
        "esbuild_wrong_case",
        "wrong_case",
        "build",
        {
            "scripts": {"build": "esbuild src/index.js --bundle --outfile=out.js"},
            "devDependencies": {"esbuild": "0.25.11"},
        },
        {"src/index.js": "import './Part'", "src/part.js": ""},
        types=[LOCK],
        says=["src/part.js"],
    ),
    Scene(
        "prisma_variable_missing",
        "config_var_missing",
        "build",
        {
            "scripts": {"build": "prisma validate"},
            "dependencies": {"prisma": "6.17.1"},
        },
        {
            "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\nmodel A {\n  id Int @id\n}\n'
        },
        types=[LOCK + " --ignore-scripts"],
        says=["DATABASE_URL"],
        fills={"<value>": "postgresql://u:p@db.example.com/x"},
    ),
    Scene(
        "vite_on_old_node",
        "node_too_old",
        "build",
        {
            "engines": {"node": "18.x"},
            "scripts": {"build": "vite build"},
            "devDependencies": {"vite": "7.1.12"},
        },
        {"index.html": "ok", "server.js": None},
        types=[LOCK],
    ),
    Scene(
        "fetch_on_old_node",
        "node_too_old",
        "start",
        {"engines": {"node": "16.x"}},
        {"server.js": "fetch;\n" + SERVER},
        says=["fetch", "16"],
    ),
)
