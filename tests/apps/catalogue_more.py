"""The apps of `generated`, looked at in a browser as well."""

from dataclasses import fields

from tests.apps import generated
from tests.apps.generated import App
from tests.apps.whole import Whole


def _seen(app: App, title: str, package: str) -> Whole:
    same = {field.name: getattr(app, field.name) for field in fields(app)}
    return Whole(**same, title=title, package=package)


MORE = (
    _seen(generated.NEST, "Nest (@nestjs/cli)", "@nestjs/core"),
    _seen(generated.ELEVENTY, "Eleventy", "@11ty/eleventy"),
    _seen(generated.PRISMA, "Prisma with Express", "@prisma/client"),
    _seen(generated.ASTRO, "Astro, static", "astro"),
    _seen(generated.ASTRO_SERVER, "Astro with its node adapter", "astro"),
    _seen(generated.SVELTEKIT, "SvelteKit (sv create)", "@sveltejs/kit"),
    _seen(generated.NUXT, "Nuxt", "nuxt"),
    _seen(generated.VUE, "Vue (create-vue)", "vue"),
    _seen(generated.DOCUSAURUS, "Docusaurus (create-docusaurus)", "@docusaurus/core"),
    _seen(generated.BUN_INIT, "Bun (bun init)", "@types/bun"),
    _seen(generated.BUN_REACT, "Bun with React (bun init --react)", "react"),
    _seen(generated.DENO_INIT, "Deno (deno init)", "@std/assert"),
    *(
        _seen(app, f"Express by {name}", "express")
        for app, name in zip(
            generated.BY_OTHERS, ("pnpm", "Yarn 1", "Yarn 4, PnP", "Bun's installer"), strict=True
        )
    ),
)
