"""Apps of other runtimes, as the makers of their frameworks begin, and makers' other generators."""

from tests.apps.generated import LOCK, OLDER_VITE, VITE_HELD
from tests.apps.whole import Whole

_IGNORED = "node_modules\n"
_BUN = "npx --yes bun@1.4.5"
_PNPM = "npx --yes --package pnpm@10.20.0"
ELYSIA = Whole(
    title="Elysia on Bun (elysiajs.com)",
    package="elysia",
    name="elysia",
    commands=(f"{_BUN} install --lockfile-only --ignore-scripts",),
    change=("src/index.ts", "Hello Elysia", "Second version"),
    before="Hello Elysia",
    after="Second version",
    files={
        "package.json": '{"name": "app", "version": "1.0.50", "scripts": {"test": "echo '
        '\\"Error: no test specified\\" && exit 1", "dev": "bun run --watch src/index.ts"}, '
        '"dependencies": {"elysia": "^1"}, "devDependencies": {"bun-types": "latest"}, '
        '"module": "src/index.js"}\n',
        "src/index.ts": 'import { Elysia } from "elysia";\n\n'
        'const app = new Elysia().get("/", () => "Hello Elysia").listen(3000);\n\n'
        "console.log(\n  `🦊 Elysia is running at ${app.server?.hostname}:"
        "${app.server?.port}`\n);\n",
        ".gitignore": _IGNORED,
    },
)
HONO_BUN = Whole(
    title="Hono on Bun (hono.dev)",
    package="hono",
    name="hono-bun",
    commands=(f"{_BUN} install --lockfile-only --ignore-scripts",),
    change=("src/index.ts", "Hello Hono!", "Second version"),
    before="Hello Hono!",
    after="Second version",
    files={
        "package.json": '{"name": "app", "scripts": {"dev": "bun run --hot src/index.ts"}, '
        '"dependencies": {"hono": "^4"}, "devDependencies": {"@types/bun": "latest"}}\n',
        "src/index.ts": "import { Hono } from 'hono'\n\nconst app = new Hono()\n\n"
        "app.get('/', (c) => {\n  return c.text('Hello Hono!')\n})\n\nexport default app\n",
        "tsconfig.json": '{"compilerOptions": {"strict": true, "jsx": "react-jsx", '
        '"jsxImportSource": "hono/jsx"}}\n',
        ".gitignore": _IGNORED,
    },
)
HONO_DENO = Whole(
    title="Hono on Deno (hono.dev)",
    package="hono",
    name="hono-deno",
    commands=("npx --yes deno@2.9.6 install",),
    change=("main.ts", "Hello Hono!", "Second version"),
    before="Hello Hono!",
    after="Second version",
    files={
        "deno.json": '{"imports": {"hono": "npm:hono@^4"}, "tasks": {"start": '
        '"deno run --allow-net main.ts"}, "compilerOptions": {"jsx": "precompile", '
        '"jsxImportSource": "hono/jsx"}}\n',
        "main.ts": "import { Hono } from 'hono'\n\nconst app = new Hono()\n\n"
        "app.get('/', (c) => {\n  return c.text('Hello Hono!')\n})\n\nDeno.serve(app.fetch)\n",
        ".gitignore": _IGNORED,
    },
)
OAK = Whole(
    title="Oak on Deno (its README)",
    package="@oakserver/oak",
    name="oak",
    commands=("npx --yes deno@2.9.6 install",),
    change=("main.ts", "Hello oak!", "Second version"),
    before="<h1>Hello oak!</h1>",
    after="<h1>Second version</h1>",
    files={
        "deno.json": '{"imports": {"@oak/oak": "npm:@oakserver/oak@^14"}, "tasks": {"start": '
        '"deno run --allow-net --allow-env main.ts"}}\n',
        "main.ts": """import { Application, Router } from "@oak/oak";

const router = new Router();
router.get("/", (ctx) => {
  ctx.response.body = `<!DOCTYPE html>
    <html>
      <head><title>Hello oak!</title></head>
      <body><h1>Hello oak!</h1></body>
    </html>
  `;
});

const app = new Application();
app.use(router.routes());
app.use(router.allowedMethods());

app.listen({ port: 8080 });
""",
        ".gitignore": _IGNORED,
    },
)
EMBER = Whole(
    title="Ember (ember new)",
    package="ember-source",
    name="ember",
    generator="npx --yes ember-cli@7.3.0 new hello --directory app --skip-npm --skip-git --lang en",
    commands=(OLDER_VITE, LOCK),
    change=("app/templates/application.gjs", 'pageTitle "Hello"', 'pageTitle "Second version"'),
    before="<title>Hello",
    after="<title>Second version",
    needed=f"unchanged, {VITE_HELD}",
)
NX = Whole(
    title="Nx with pnpm (create-nx-workspace, React and Vite)",
    package="nx",
    name="nx",
    generator=f"{_PNPM} --package create-nx-workspace@23.2.1 create-nx-workspace app "
    "--preset=react-monorepo --appName=web --bundler=vite --style=css --pm=pnpm --nxCloud=skip "
    "--unitTestRunner=none --e2eTestRunner=none --interactive=false --skipGit",
    commands=("rm -rf node_modules .nx",),
    change=("apps/web/src/app/nx-welcome.tsx", "Hello there", "Second version"),
    before="Hello there",
    after="Second version",
    is_refused_first=True,
    needed="as said: `paas apps:set --root apps/web`",
)
NX_INTEGRATED = Whole(
    title="Nx 19, integrated (create-nx-workspace, Express)",
    package="nx",
    name="nx-integrated",
    generator="npx --yes --package create-nx-workspace@19 create-nx-workspace app "
    "--preset=node-monorepo --appName=api --framework=express --docker=false --pm=npm "
    "--nxCloud=skip --e2eTestRunner=none --interactive=false --skipGit",
    commands=("rm -rf node_modules .nx",),
    change=("apps/api/src/main.ts", "Hello API", "Second version"),
    before="Hello API",
    after="Second version",
    is_refused_first=True,
    needed="as said: a build script and a start script in the root",
)
REMIX = Whole(
    title="Remix 2 (with Vite)",
    package="@remix-run/react",
    name="remix",
    commands=(LOCK,),
    change=("app/routes/_index.jsx", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "package.json": '{"name": "app", "private": true, "sideEffects": false, "type": "module", '
        '"scripts": {"build": "remix vite:build", "dev": "remix vite:dev", '
        '"start": "remix-serve ./build/server/index.js"}, "dependencies": {"@remix-run/node": '
        '"^2.17", "@remix-run/react": "^2.17", "@remix-run/serve": "^2.17", "isbot": "^4.1.0", '
        '"react": "^18.2.0", "react-dom": "^18.2.0"}, "devDependencies": {"@remix-run/dev": '
        '"^2.17", "vite": "^6"}, "engines": {"node": ">=20.0.0"}}\n',
        "vite.config.js": "import { vitePlugin as remix } from '@remix-run/dev'\n"
        "import { defineConfig } from 'vite'\n\n"
        "export default defineConfig({ plugins: [remix()] })\n",
        "app/root.jsx": """import { Links, Meta, Outlet, Scripts } from '@remix-run/react'

export default function App() {
  return (
    <html lang="en">
      <head>
        <Meta />
        <Links />
      </head>
      <body>
        <Outlet />
        <Scripts />
      </body>
    </html>
  )
}
""",
        "app/routes/_index.jsx": "import { useLoaderData } from '@remix-run/react'\n\n"
        "export const loader = () => ({ text: 'First version' })\n\n"
        "export default function Index() {\n"
        "  return <h1>{useLoaderData().text}</h1>\n}\n",
        ".gitignore": _IGNORED + "/.cache\n/build\n.env\n",
    },
)
RUNTIMES = (ELYSIA, HONO_BUN, HONO_DENO, OAK, EMBER, NX, NX_INTEGRATED, REMIX)
