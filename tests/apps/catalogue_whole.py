"""Whole apps that people install from npm and run with settings of their own, and monorepos."""

from tests.apps.generated import LOCK, OLDER_VITE, VITE_HELD
from tests.apps.whole import Whole

_IGNORED = "node_modules\n"
NODE_RED = Whole(
    title="Node-RED",
    package="node-red",
    name="node-red",
    commands=(
        "npm init -y && npm pkg set scripts.start='node-red --userDir . --settings settings.js' "
        "dependencies.node-red=^4 && npm pkg delete main",
        LOCK,
    ),
    change=("settings.js", "First version", "Second version"),
    # The editor's head, which its script makes.
    before=">First version</",
    after=">Second version</",
    files={
        "settings.js": """module.exports = {
  uiPort: process.env.PORT || 1880,
  flowFile: 'flows.json',
  credentialSecret: process.env.NODE_RED_CREDENTIAL_SECRET,
  editorTheme: { header: { title: 'First version' }, tours: false }
}
""",
        "flows.json": "[]\n",
        ".gitignore": _IGNORED,
    },
)
JSON_SERVER = Whole(
    title="json-server",
    package="json-server",
    name="json-server",
    commands=(
        "npm init -y && npm pkg delete main type && npm pkg set "
        "scripts.start='json-server db.json' dependencies.json-server=^0.17.4",
        LOCK,
    ),
    change=("db.json", "First version", "Second version"),
    before='"title": "First version"',
    after='"title": "Second version"',
    path="/posts",
    files={
        "db.json": '{"posts": [{"id": 1, "title": "First version"}]}\n',
        ".gitignore": _IGNORED,
    },
)
HTTP_SERVER = Whole(
    title="http-server",
    package="http-server",
    name="http-server",
    commands=(
        "npm init -y && npm pkg delete main type && npm pkg set "
        "scripts.start='http-server site' dependencies.http-server=^14",
        LOCK,
    ),
    change=("site/index.html", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "site/index.html": "<!doctype html>\n<title>Served</title>\n<h1>First version</h1>\n",
        ".gitignore": _IGNORED,
    },
)
STRAPI = Whole(
    title="Strapi (create-strapi, SQLite)",
    package="@strapi/strapi",
    name="strapi",
    generator="npx --yes create-strapi@5 app --skip-cloud --no-run --dbclient sqlite "
    "--dbfile .tmp/data.db --no-install --no-example --no-git-init --js --use-npm",
    commands=(LOCK,),
    change=("src/admin/app.js", "First version", "Second version"),
    before="First version",
    after="Second version",
    path="/admin",
    files={
        "src/admin/app.js": """export default {
  config: {
    translations: { en: { 'Auth.form.welcome.title': 'First version' } },
    notifications: { releases: false }
  },
  bootstrap() {}
}
""",
    },
    config=(
        "APP_KEYS=lLaekrwWvLFHFYBfIBG+MA==,FMGJ2Gtb882ay0d/teaW7A==",
        "API_TOKEN_SALT=ij/GF7kjfwuD8twyD11dLg==",
        "ADMIN_JWT_SECRET=3JMwqNBlrF29MdjD8u3LJA==",
        "JWT_SECRET=CAVWY0gFU2UjmCAY1bx7HQ==",
        "TRANSFER_TOKEN_SALT=2za8DX7cWPggS8oTkHg6kA==",
        "ENCRYPTION_KEY=kT4H/YYBGXl3R9XeI04keg==",
        "BUILD_MEMORY_MIB=4096",
    ),
)
_PAGES = "docs"
VITEPRESS = Whole(
    title="VitePress (vitepress.dev)",
    package="vitepress",
    name="vitepress",
    commands=(
        "npm init -y && npm pkg delete main type scripts && npm pkg set "
        "scripts.docs:dev='vitepress dev docs' scripts.docs:build='vitepress build docs' "
        "scripts.docs:preview='vitepress preview docs' devDependencies.vitepress=^1",
        LOCK,
    ),
    change=(f"{_PAGES}/index.md", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        f"{_PAGES}/index.md": "---\nlayout: home\nhero:\n  name: My Awesome Project\n"
        "  text: First version\n  actions:\n    - theme: brand\n"
        "      text: Markdown Examples\n      link: /markdown-examples\n---\n",
        f"{_PAGES}/markdown-examples.md": "# Markdown Extension Examples\n",
        f"{_PAGES}/.vitepress/config.mts": "import { defineConfig } from 'vitepress'\n"
        "export default defineConfig({ title: 'My Awesome Project' })\n",
        ".gitignore": _IGNORED + "docs/.vitepress/dist\ndocs/.vitepress/cache\n",
    },
)
QWIK = Whole(
    title="Qwik (create-qwik)",
    package="@builder.io/qwik",
    name="qwik",
    generator="npm create --yes qwik@1 empty app",
    commands=(LOCK,),
    change=("src/routes/index.tsx", "<h1>[^<]*</h1>", "<h1>Second version</h1>"),
    before="Happy coding",
    after="Second version",
    is_refused_first=True,
    needed="as said: `qwik add express`, a Procfile",
)
TANSTACK = Whole(
    title="TanStack Start (its CLI)",
    package="@tanstack/react-start",
    name="tanstack",
    generator="npx --yes @tanstack/cli@latest create app --no-install --no-git --yes",
    commands=(OLDER_VITE, LOCK),
    change=("src/routes/index.tsx", "Start simple, ship quickly.", "Second version"),
    before="Start simple, ship quickly.",
    after="Second version",
    is_refused_first=True,
    needed=f"as said: `npm install srvx`, a start script; {VITE_HELD}",
)
REACT_ROUTER = Whole(
    title="React Router 7 (framework mode)",
    package="react-router",
    name="react-router",
    commands=(
        "npm init -y && npm pkg delete main && npm pkg set type=module "
        "scripts.build='react-router build' scripts.dev='react-router dev' "
        "scripts.start='react-router-serve ./build/server/index.js'",
        "npm pkg set dependencies.react=^19 dependencies.react-dom=^19 dependencies.isbot=^5 "
        "dependencies.react-router=~7.9 dependencies.@react-router/node=~7.9 "
        "dependencies.@react-router/serve=~7.9 devDependencies.@react-router/dev=~7.9 "
        "devDependencies.vite=^7",
        LOCK,
    ),
    change=("app/routes/home.jsx", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "app/root.jsx": """import { Links, Meta, Outlet, Scripts } from 'react-router'

export default function App() {
  return (
    <html lang="en">
      <head><Meta /><Links /></head>
      <body><Outlet /><Scripts /></body>
    </html>
  )
}
""",
        "app/routes.js": "import { index } from '@react-router/dev/routes'\n"
        "export default [index('routes/home.jsx')]\n",
        "app/routes/home.jsx": "export function loader() {\n  return { text: 'First version' }\n}\n"
        "export default function Home({ loaderData }) {\n  return <h1>{loaderData.text}</h1>\n}\n",
        "vite.config.js": "import { reactRouter } from '@react-router/dev/vite'\n"
        "import { defineConfig } from 'vite'\n"
        "export default defineConfig({ plugins: [reactRouter()] })\n",
        ".gitignore": _IGNORED + "build\n.react-router\n",
    },
)
TURBO = Whole(
    title="Turborepo with pnpm (apps/web, packages/ui)",
    package="turbo",
    name="turbo",
    commands=(
        "npm init -y && npm pkg delete main type && npm pkg set private=true --json && "
        "npm pkg set packageManager=pnpm@10.20.0 scripts.build='turbo run build' "
        "scripts.start='pnpm --filter web start' devDependencies.turbo=^2",
        "npx --yes pnpm@10.20.0 install --lockfile-only --ignore-scripts",
    ),
    change=("packages/greeting/src/index.ts", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "pnpm-workspace.yaml": "packages:\n  - apps/*\n  - packages/*\n",
        "turbo.json": '{"$schema": "https://turborepo.com/schema.json", "tasks": {"build": '
        '{"dependsOn": ["^build"], "outputs": ["dist/**", ".next/**", "!.next/cache/**"]}}}\n',
        "packages/greeting/package.json": '{"name": "@repo/greeting", "version": "0.0.0", '
        '"private": true, "type": "module", "main": "dist/index.js", "types": "src/index.ts", '
        '"scripts": {"build": "tsc"}, "devDependencies": {"typescript": "^5"}}\n',
        "packages/greeting/tsconfig.json": '{"compilerOptions": {"outDir": "dist", "rootDir": '
        '"src", "module": "NodeNext", "target": "ES2022", "strict": true}}\n',
        "packages/greeting/src/index.ts": "export const greeting: string = 'First version'\n",
        "apps/web/package.json": '{"name": "web", "version": "0.0.0", "private": true, '
        '"scripts": {"dev": "next dev", "build": "next build", "start": "next start"}, '
        '"dependencies": {"@repo/greeting": "workspace:*", "next": "^16", "react": "^19", '
        '"react-dom": "^19"}}\n',
        "apps/web/app/layout.js": "export default function Layout({ children }) {\n"
        "  return <html lang='en'><body>{children}</body></html>\n}\n",
        "apps/web/app/page.js": "import { greeting } from '@repo/greeting'\n"
        "export default function Page() {\n  return <h1>{greeting}</h1>\n}\n",
        ".gitignore": "node_modules\n.next\n.turbo\ndist\n",
    },
)
STORYBOOK = Whole(
    title="Storybook (of HTML, with Vite)",
    package="storybook",
    name="storybook",
    commands=(
        "npm init -y && npm pkg delete main scripts && npm pkg set type=module "
        "scripts.storybook='storybook dev -p 6006' scripts.build-storybook='storybook build' "
        "devDependencies.storybook=^9 devDependencies.@storybook/html-vite=^9 "
        "devDependencies.vite=^7",
        LOCK,
    ),
    change=("stories/Button.stories.js", "First version", "Second version"),
    before="First version",
    after="Second version",
    path="/iframe.html?id=button--primary&viewMode=story",
    files={
        ".storybook/main.js": "export default {\n  stories: ['../stories/*.stories.js'],\n"
        "  framework: '@storybook/html-vite',\n  core: { disableTelemetry: true }\n}\n",
        "stories/Button.stories.js": "export default { title: 'Button', render: ({ label }) => "
        "`<button>${label}</button>` }\n"
        "export const Primary = { args: { label: 'First version' } }\n",
        ".gitignore": _IGNORED + "storybook-static\n",
    },
)
GATSBY = Whole(
    title="Gatsby",
    package="gatsby",
    name="gatsby",
    commands=(
        "npm init -y && npm pkg delete main type && npm pkg set "
        "scripts.develop='gatsby develop' scripts.start='gatsby develop' "
        "scripts.build='gatsby build' scripts.serve='gatsby serve' dependencies.gatsby=^5 "
        "dependencies.react=^18 dependencies.react-dom=^18",
        LOCK,
    ),
    change=("src/pages/index.js", "First version", "Second version"),
    before="First version",
    after="Second version",
    files={
        "src/pages/index.js": "import * as React from 'react'\n\n"
        "const IndexPage = () => <main><h1>First version</h1></main>\n"
        "export default IndexPage\nexport const Head = () => <title>Home Page</title>\n",
        "gatsby-config.js": "module.exports = { siteMetadata: { title: 'My Gatsby Site' }, "
        "plugins: [] }\n",
        ".gitignore": "node_modules\n.cache/\npublic\n",
    },
    is_refused_first=True,
    needed="as said where GitHub is out of reach: a sharp from the registry",
)
SAILS = Whole(
    title="Sails (sails new)",
    package="sails",
    name="sails",
    generator="npx --yes sails@1 new app --fast --traditional",
    commands=("rm -rf node_modules", LOCK),
    change=("views/pages/homepage.ejs", "<h1[^>]*>", "\\g<0>Second version "),
    before="<h1",
    after="Second version",
    is_refused_first=True,
    needed="unchanged; the config var that it was said to lack (whose pages open sockets)",
)
PREACT = Whole(
    title="Preact (create-vite)",
    package="preact",
    name="preact",
    generator="npm create --yes vite@7 app -- --template preact-ts --no-interactive",
    commands=(LOCK,),
    change=("src/app.tsx", "Vite \\+ Preact", "Second version"),
    before="Vite + Preact",
    after="<h1>Second version</h1>",
)
WHOLE = (
    *(NODE_RED, JSON_SERVER, HTTP_SERVER, STRAPI, VITEPRESS, QWIK, TANSTACK),
    *(REACT_ROUTER, TURBO, STORYBOOK, GATSBY, SAILS, PREACT),
)
