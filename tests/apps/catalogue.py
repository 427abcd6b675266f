"""What other makers' generators make, and apps as their makers' documentation begins."""

from dataclasses import replace

from tests.apps.generated import LOCK
from tests.apps.whole import Whole

_IGNORED = "node_modules\n"
FONTS = "its fonts, which come from Google when it is built"
_NEXT_PAGE = """import Image from 'next/image'

export default function Home() {
  return (
    <main>
      <Image src="/next.svg" alt="Next.js logo" width={100} height={20} priority />
      <h1>First version</h1>
    </main>
  )
}
"""
_NEXT_LAYOUT = """import type { Metadata } from 'next'
import './globals.css'

export const metadata: Metadata = { title: 'Create Next App' }

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
"""
EXPRESS = Whole(
    title="Express (express-generator)",
    package="express",
    name="express-generator",
    generator="npx --yes express-generator@4 --no-view --git app",
    commands=(LOCK,),
    change=("public/index.html", "Welcome to Express", "Second version"),
    before="Welcome to Express",
    after="Second version",
)
FASTIFY = Whole(
    title="Fastify (fastify-cli)",
    package="fastify",
    name="fastify",
    generator="npx --yes fastify-cli@7 generate app",
    commands=(LOCK,),
    change=("routes/root.js", "root: true", "root: 'Second version'"),
    before='{"root":true}',
    after='{"root":"Second version"}',
)
KOA = Whole(
    title="Koa (koajs.com)",
    package="koa",
    name="koa",
    commands=("npm init -y && npm install --ignore-scripts koa@3",),
    change=("index.js", "Hello Koa", "Second version"),
    before="Hello Koa",
    after="Second version",
    files={
        "index.js": """
const Koa = require('koa');
const app = new Koa();
app.use(async ctx => {
  ctx.body = 'Hello Koa';
});
app.listen(process.env.PORT || 3000);
""",
        ".gitignore": _IGNORED,
    },
)
HONO = Whole(
    title="Hono (hono.dev, Node.js)",
    package="hono",
    name="hono",
    commands=(
        "npm init -y && npm pkg set type=module scripts.dev='tsx watch src/index.ts' "
        "scripts.build=tsc scripts.start='node dist/index.js' && npm pkg delete main",
        "npm pkg set dependencies.hono=^4 dependencies.@hono/node-server=^1 "
        "devDependencies.tsx=^4 devDependencies.typescript=^5 devDependencies.@types/node=^20",
        LOCK,
    ),
    change=("src/index.ts", "Hello Hono!", "Second version"),
    before="Hello Hono!",
    after="Second version",
    files={
        "src/index.ts": """import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const app = new Hono()
app.get('/', (c) => c.text('Hello Hono!'))

serve({ fetch: app.fetch, port: 3000 }, (info) => {
  console.log(`Server is running on http://localhost:${info.port}`)
})
""",
        "tsconfig.json": '{"compilerOptions": {"target": "ESNext", "module": "NodeNext", '
        '"strict": true, "skipLibCheck": true, "types": ["node"], "outDir": "./dist", '
        '"rootDir": "./src"}, "exclude": ["node_modules"]}\n',
        ".gitignore": _IGNORED + "dist\n",
    },
)
_NEXT = "npx --yes create-next-app@16 app --ts --no-linter --no-tailwind --no-src-dir --use-npm "
NEXT_PAGES = Whole(
    title="Next.js, pages router (create-next-app)",
    package="next",
    name="next-pages",
    generator=f"{_NEXT} --no-app --skip-install --disable-git --yes",
    commands=(LOCK,),
    change=("pages/index.tsx", "First version", "Second version"),
    before="<h1>First version</h1>",
    after="<h1>Second version</h1>",
    files={"pages/index.tsx": _NEXT_PAGE},
    left_out=FONTS,
)
NEXT_STANDALONE = Whole(
    title="Next.js, output: standalone (create-next-app)",
    package="next",
    name="next-standalone",
    generator=f"{_NEXT} --app --skip-install --disable-git --yes",
    commands=(LOCK,),
    change=("app/page.tsx", "First version", "Second version"),
    before="<h1>First version</h1>",
    after="<h1>Second version</h1>",
    files={
        "app/page.tsx": _NEXT_PAGE,
        "app/layout.tsx": _NEXT_LAYOUT,
        "next.config.ts": "export default { output: 'standalone' }\n",
    },
    left_out=FONTS,
)
NEXT_UNBUILT = replace(
    NEXT_PAGES,
    title="Next.js without a build script (create-next-app)",
    name="next-unbuilt",
    commands=("npm pkg delete scripts.build", LOCK),
)
SVELTE = Whole(
    title="Svelte (create-vite)",
    package="svelte",
    name="svelte",
    generator="npm create --yes vite@7 app -- --template svelte-ts --no-interactive",
    commands=(LOCK,),
    change=("src/App.svelte", "Vite \\+ Svelte", "Second version"),
    before="Vite + Svelte",
    after="<h1>Second version</h1>",
)
REACT = Whole(
    title="React (create-vite)",
    package="react",
    name="vite-react",
    generator="npm create --yes vite@7 app -- --template react-ts --no-interactive",
    commands=(LOCK,),
    change=("src/App.tsx", "Vite \\+ React", "Second version"),
    before="Vite + React",
    after="<h1>Second version</h1>",
)
SOLID = Whole(
    title="Solid (create-vite)",
    package="solid-js",
    name="solid",
    generator="npm create --yes vite@7 app -- --template solid-ts --no-interactive",
    commands=(LOCK,),
    change=("src/App.tsx", "Vite \\+ Solid", "Second version"),
    before="Vite + Solid",
    after="<h1>Second version</h1>",
)
HTML = Whole(
    title="Plain HTML (one page, one style sheet)",
    package="",
    name="html",
    commands=(),
    change=("index.html", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "index.html": "<!doctype html>\n<html lang=en><title>Plain</title>\n"
        '<link rel="stylesheet" href="style.css">\n<h1>First version</h1>\n',
        "style.css": "h1 { color: teal }\n",
    },
)
_NG = "npx --yes @angular/cli@20.3.32 new app --skip-install --skip-git --defaults"
# One release of all of them: each wants the others' exact version.
_NG_VERSIONS = r"sed -i -E 's,(@angular/.*)\^20\.3\.[0-9]+,\120.3.32,' package.json"
ANGULAR_SSR = Whole(
    title="Angular with SSR (ng new --ssr)",
    package="@angular/core",
    name="angular-ssr",
    generator=f"{_NG} --ssr",
    commands=(_NG_VERSIONS, LOCK),
    change=("src/app/app.ts", "signal\\('app'\\)", "signal('Second version')"),
    before="Hello, app",
    after="Hello, Second version",
)
ANGULAR = Whole(
    title="Angular, static (ng new)",
    package="@angular/core",
    name="angular",
    generator=f"{_NG} --no-ssr",
    commands=(_NG_VERSIONS, LOCK),
    change=("src/app/app.ts", "signal\\('app'\\)", "signal('Second version')"),
    before="Hello, app",
    after="Hello, Second version",
)
HEXO = Whole(
    title="Hexo (hexo init)",
    package="hexo",
    name="hexo",
    generator="npx --yes hexo-cli@4 init app --no-install",
    commands=(LOCK,),
    change=("_config.yml", "title: Hexo", "title: Second version"),
    before="<title>Hexo</title>",
    after="<title>Second version</title>",
    files={".gitignore": "node_modules\npublic\ndb.json\n"},
    # Its theme names an icon that it does not bring.
    forgiven=(r"/favicon\.png$",),
)
SOCKET_IO = Whole(
    title="Socket.IO chat (its tutorial)",
    package="socket.io",
    name="socket-io",
    commands=("npm init -y && npm install --ignore-scripts express@4 socket.io@4",),
    change=("index.html", "First version", "Second version"),
    before="heard: First version",
    after="heard: Second version",
    files={
        "index.js": """
const express = require('express');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { Server } = require('socket.io');

const app = express();
const server = createServer(app);
const io = new Server(server);
app.get('/', (req, res) => {
  res.sendFile(join(__dirname, 'index.html'));
});
io.on('connection', (socket) => {
  socket.on('chat message', (msg) => {
    io.emit('chat message', msg);
  });
});
server.listen(process.env.PORT || 3000, () => {
  console.log('server running');
});
""",
        "index.html": """<!DOCTYPE html>
<html>
  <head><title>Socket.IO chat</title></head>
  <body>
    <ul id="messages"></ul>
    <script src="/socket.io/socket.io.js"></script>
    <script>
      const socket = io();
      const messages = document.getElementById('messages');
      socket.on('chat message', (msg) => {
        const item = document.createElement('li');
        item.textContent = 'heard: ' + msg;
        messages.appendChild(item);
      });
      socket.emit('chat message', 'First version');
    </script>
  </body>
</html>
""",
        ".gitignore": _IGNORED,
    },
)
T3 = Whole(
    title="tRPC on Next.js (create-t3-app)",
    package="@trpc/server",
    name="t3",
    generator="npx --yes create-t3-app@7 app --CI --noGit --noInstall --trpc --prisma false "
    "--nextAuth false --tailwind false --appRouter --drizzle false",
    commands=(
        "sed -i '/next.font/d; /^const geist/,/^});/d; s/ className={geist.className}//' "
        "src/app/layout.tsx",
        LOCK,
    ),
    change=("src/app/page.tsx", "from tRPC", "from its second version"),
    before="Hello from tRPC",
    after="Hello from its second version",
    left_out=FONTS,
)
GENERATED = (
    *(EXPRESS, FASTIFY, KOA, HONO, NEXT_PAGES, NEXT_STANDALONE, SVELTE, REACT, SOLID, HTML),
    *(NEXT_UNBUILT, ANGULAR_SSR, ANGULAR, HEXO, SOCKET_IO, T3),
)
