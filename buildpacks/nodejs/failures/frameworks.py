"""Frameworks: a build that did not happen, an adapter for another platform, Prisma's schema."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import ANY, BUILD, START, Evidence, Rule

_BUILDS = {
    "next": "next build",
    "nuxt": "nuxt build",
    "astro": "astro build",
    "@react-router/serve": "react-router build",
    "@remix-run/serve": "remix vite:build",
    "@sveltejs/kit": "vite build",
}


def _unbuilt(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    build = next((text for name, text in _BUILDS.items() if name in known), "")
    said = evidence.package.scripts.get("build", "").strip()
    if not build or build in said:
        return None
    return {"build": build, "now": f", which is `{said}`" if said else ""}


RULES = (
    Rule(
        "framework_not_built",
        START,
        r"Could not find a production build in the|Cannot find module '/app/\.output/server"
        r"|Cannot find module '/app/(?:build|dist)/(?:server/)?(?:index|entry)\.m?js'"
        r"|ENOENT: no such file or directory, open '/app/\.next/",
        "the app is started, but its build was never made by the build script{now}",
        "npm pkg set scripts.build='{build}' && git add package.json && git commit -m 'Build it'",
        _unbuilt,
    ),
    Rule(
        "next_export_started",
        START,
        r"\"next start\" does not work with \"output: export\"",
        "next.config says output: 'export', which makes files and no server: "
        "next start has nothing to start",
        "npm pkg delete scripts.start && git add package.json && git commit -m 'Serve the files'",
    ),
    Rule(
        "next_standalone_started",
        START,
        r"\"next start\" does not work with \"output: standalone\"",
        "next.config says output: 'standalone', whose server is a file of its own",
        "npm pkg set scripts.start='node .next/standalone/server.js' && git add package.json && "
        "git commit -m 'Start the server that was built'",
    ),
    Rule(
        "fonts_unreachable",
        BUILD,
        r"Failed to fetch `(?P<name>[^`\n]{1,80})` from Google Fonts"
        r"|Failed to fetch font [`'\"](?P<other>[^`'\"\n]{1,80})"
        r"|next/font: error:[\s\S]{0,200}Failed to fetch `(?P<third>[^`\n]{1,80})`"
        r"|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) fonts\.(?P<google>googleapis|gstatic)\.com",
        "the build fetches the font {name} from Google, which it can't reach",
        "Take the font into the app: {add} geist && {commit}\n"
        "and in the layout: import {{ GeistSans }} from 'geist/font/sans' "
        "(any other: next/font/local with its file).",
    ),
    Rule(
        "adapter_missing",
        ANY,
        r"Could not detect a supported production environment"
        r"|\[(?P<name>NoAdapterInstalled)[^\]]*\]"
        r"|Cannot use (?:`?server-rendered pages|server output)[^\n]*without an adapter"
        r"|without an adapter\. Please install and configure",
        "the framework builds a server only with an adapter, and there is none for Node.js",
        "SvelteKit: npx sv add sveltekit-adapter=adapter:node; Astro: npx astro add node --yes; "
        "then commit what it changed.",
    ),
    Rule(
        "sails_origins_missing",
        START,
        r"No `sails\.config\.sockets\.onlyAllowOrigins` or",
        "in production Sails wants to know whose pages may open sockets to the app: its own "
        "addresses (sockets.onlyAllowOrigins in config/env/production.js, or a config var)",
        "paas config:set sails_sockets__onlyAllowOrigins='[\"http://<address of the app>\"]'",
    ),
    Rule(
        "bundle_over_budget",
        BUILD,
        r"bundle initial exceeded maximum budget"
        r"|exceeded maximum budget\. Budget (?P<name>\S+ \w+)",
        "the app's bundle is larger than angular.json allows",
        "Raise maximumError in angular.json (budgets), or load parts of it lazily.",
    ),
    Rule(
        "lint_stopped_build",
        BUILD,
        r"Treating warnings as errors because process\.env\.CI = true",
        "the build takes warnings for errors, because CI is set",
        "Mend the warnings above, or: paas config:set CI=false",
    ),
    Rule(
        "entry_missing",
        BUILD,
        r"Could not resolve entry module [\"'](?P<name>[^\"'\n]+)[\"']"
        r"|Entry module not found: Error: Can't resolve '(?P<webpack>[^'\n]+)'"
        r"|Could not find a required file\.\s+Name: (?P<cra>\S+)"
        r"|No entrypoint found|ENOENT[^\n]*'(?P<file>[^'\n]*/index\.html)'",
        "the build begins with {name}, which is not in the commit",
        "Is it in git, and spelled like that? git ls-files | grep -i index",
    ),
    Rule(
        "prisma_schema_missing",
        ANY,
        r"Could not find Prisma Schema|Could not load `?--schema`? from",
        "Prisma finds no schema: prisma/schema.prisma is not in the commit",
        "git add --force prisma/schema.prisma && git commit -m 'Add the schema'",
    ),
    Rule(
        "prisma_schema_invalid",
        ANY,
        r"error: (?P<name>[^\n]{1,160})\s+-->\s+(?P<file>[\w./-]+\.prisma):(?P<line>\d+)"
        r"|Error code: (?P<code>P1012)",
        "Prisma does not take its schema: {name}{where}",
        "The same, locally: npx prisma validate\n"
        "What was changed between Prisma's majors stands in its upgrade guides; to stay: "
        "{add_dev} prisma@6 && {add} @prisma/client@6 && {commit}",
        lambda _evidence, match: {
            "name": (match["name"] or match["code"] or "").strip(),
            "where": f" ({match['file']}, line {match['line']})" if match["file"] else "",
        },
        is_general=True,
    ),
    Rule(
        "migration_failed",
        ANY,
        r"Error: (?P<name>P3\d{3})\b",
        "Prisma could not migrate the database ({name})",
        "See its words above, and where it stands: npx prisma migrate status",
    ),
)
