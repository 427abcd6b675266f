"""The web server's configuration for a site: a pure function, tried against the real server.

The way of a path: forced redirects; the file, `<path>.html`, the folder's index.html; then the
rules of `_redirects` in their order; then the page of a single-page app; else the site's 404.html.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from buildpacks.findings import Notice
from buildpacks.plan import Site
from buildpacks.static import headers, redirects
from buildpacks.static.mime import TYPES
from buildpacks.static.quoting import quoted
from buildpacks.static.redirects import Rule
from buildpacks.static.seen import Seen
from buildpacks.static.server import LISTEN

_FOLDER = "/app"
_NOWHERE = "/.none"
"""No file: names that begin with a dot are never served."""
_HIDDEN = ("_redirects", "_headers", "static.json")
_HIDDEN_IN_ROOT = (
    *("Procfile", "app.json", "package.json", "package-lock.json", "npm-shrinkwrap.json"),
    *("netlify.toml", "vercel.json", "yarn.lock", "pnpm-lock.yaml", "node_modules"),
)
"""They stand beside the pages where the whole repository is the site."""
_ASSET = (
    r"\.(?:js|mjs|cjs|css|map|json|xml|txt|ico|png|jpe?g|gif|svg|webp|avif|bmp|woff2?|ttf|otf|eot|"
    r"wasm|pdf|zip|gz|br|mp[34]|webm|ogg|webmanifest|php|html?)$"
)
"""What asks for a file: a page in its place would be taken for a broken script or image."""
_MISSING = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Not found</title>"
    "<h1>404: not found</h1><p>There is no page at this address."
)
_NO_STORE = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"
_CONNECTIONS_MAX = 512


@dataclass(frozen=True)
class Configuration:
    """The text of the configuration, and what of the site's own files is not obeyed."""

    text: str
    notices: tuple[Notice, ...] = ()


def configuration(site: Site, seen: Seen, app_folder: str = "") -> Configuration:
    """`seen.folder` is there, in the app's folder of the tree."""
    rules, left_out = redirects.read(seen.redirects)
    fields, left_out_fields = headers.read(seen.headers)
    lines = [
        _MAIN,
        "http {",
        *_types(),
        _HTTP,
        *_cache(site, fields),
        *redirects.maps(rules, _NOWHERE, "/404.html" if "404.html" in seen.pages else ""),
        *_fallback(site, seen),
        "server {",
        f"include {LISTEN};",
        f"root {quoted(posixpath.join(_FOLDER, app_folder, seen.folder or '').rstrip('/'))};",
        *headers.directives(fields),
        *_server(seen, rules),
        "}",
        "}",
    ]
    notices = (*left_out, *left_out_fields, *_links(seen))
    return Configuration("\n".join(lines) + "\n", notices)


_MAIN = f"""
daemon off;
worker_processes 1;
worker_shutdown_timeout 20s;
pid /tmp/nginx.pid;
error_log stderr error;
load_module /usr/lib/nginx/modules/ngx_http_brotli_static_module.so;
events {{
worker_connections {_CONNECTIONS_MAX};
}}
"""

_HTTP = """
default_type application/octet-stream;
charset utf-8;
charset_types text/css text/plain text/xml text/csv text/markdown application/json
  application/javascript application/xml application/manifest+json;
access_log off;
log_not_found off;
server_tokens off;
absolute_redirect off;
server_name_in_redirect off;
sendfile on;
tcp_nopush on;
keepalive_timeout 75s;
keepalive_requests 100000;
gzip_static on;
brotli_static on;
gzip_vary on;
gzip_proxied any;
client_max_body_size 1m;
client_body_temp_path /tmp/body;
proxy_temp_path /tmp/proxy;
fastcgi_temp_path /tmp/fastcgi;
uwsgi_temp_path /tmp/uwsgi;
scgi_temp_path /tmp/scgi;
map_hash_bucket_size 256;
variables_hash_max_size 8192;
geo $dollar { default "$"; }
map $request_uri $visited { "~^/*(?<visited_path>/[^?]*)" $visited_path; default /; }
map $uri $index { "~/$" "${uri}index.html"; default /.none; }
map $uri $bare { "~^(?<bare_path>.+)/$" $bare_path; default $uri; }
"""


def _types() -> Iterator[str]:
    yield "types {"
    for kind, endings in TYPES.items():
        yield f"{kind} {endings};"
    yield "}"


def _cache(site: Site, fields: Sequence[headers.Field]) -> Iterator[str]:
    """A page must be asked for again; what has its content's hash in its name never changes."""
    yield "map $uri $kept {"
    for pattern in site.hashed:
        yield f"{quoted(f'~{pattern}')} {quoted(_FOR_EVER)};"
    yield f"default {quoted(_NO_STORE)};"
    yield "}"
    defaults = {"cache-control": "$kept", "x-content-type-options": "nosniff"}
    yield from headers.maps(fields, defaults)


def _fallback(site: Site, seen: Seen) -> Iterator[str]:
    """Whose page a path without a file shows; a 404.html says itself what is missing."""
    page = _NOWHERE
    if "200.html" in seen.pages:
        page = "/200.html"
    elif site.is_single_page and "404.html" not in seen.pages:
        page = "/index.html"
    yield f"map $visited $asset {{ {quoted(f'~*{_ASSET}')} 1; default 0; }}"
    yield f"map $asset $app {{ 1 {_NOWHERE}; default {page}; }}"


def _server(seen: Seen, rules: Sequence[Rule]) -> Iterator[str]:
    hidden = [*_HIDDEN, *(_HIDDEN_IN_ROOT if seen.folder == "" else ())]
    names = "|".join(re.escape(name) for name in hidden)
    yield "index index.html index.htm;"
    yield from redirects.forced(rules)
    yield "error_page 403 = @rules;"
    has_page = "404.html" in seen.pages
    if has_page or any(rule.is_missing for rule in rules):
        yield "error_page 404 $missing_page;"
    else:
        yield "error_page 404 @missing;"
    yield r'location ~ "/\.(?!well-known(?:/|$))" { return 404; }'
    yield f"location ~ {quoted(f'^/(?:{names})(?:/|$)')} {{ return 404; }}"
    yield "location / { try_files $uri $uri.html $index $bare.html @rules; }"
    yield "location @rules {"
    yield "if (-f $document_root$uri/index.html) { return 301 $visited/$is_args$args; }"
    yield from redirects.returns(rules)
    yield "try_files $rewritten $rewritten.html $rewritten/index.html $app =404;"
    yield "}"
    yield "location @missing {"
    yield "default_type text/html;"
    yield f"return 404 {quoted(_MISSING)};"
    yield "}"


def _links(seen: Seen) -> list[Notice]:
    if not seen.links:
        return []
    named = ", ".join(seen.links[:5])
    message = f"symbolic links that lead out of the site, or to a folder, are not served: {named}"
    return [Notice("links_not_served", message, "Put the files themselves there.")]
