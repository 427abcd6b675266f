"""What visitors of a site get: asked of the real server, under the configuration that is made."""

import pytest

from buildpacks.plan import Site
from tests.buildpacks.static.conftest import Serve

PAGES = {
    "index.html": "home",
    "about.html": "about",
    "docs/index.html": "docs",
    "docs/intro.html": "intro",
    "empty/file.txt": "text",
    "a b.html": "blank",
    ".env": "SECRET=1",
    ".git/config": "secret",
    ".well-known/security.txt": "contact",
    "Procfile": "web: x",
    "package-lock.json": "{}",
    "node_modules/x/index.js": "x",
    "data.json": "{}",
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "home"),
        ("/index.html", "home"),
        ("/about", "about"),
        ("/about/", "about"),
        ("/about.html", "about"),
        ("/about?x=1", "about"),
        ("/docs/", "docs"),
        ("/docs/intro", "intro"),
        ("/a%20b", "blank"),
        ("/empty/file.txt", "text"),
        ("/.well-known/security.txt", "contact"),
        ("//about", "about"),
    ],
)
def test_a_path_leads_to_its_file(serve: Serve, path: str, text: str) -> None:
    answer = serve(PAGES).get(path)
    assert (answer.status_code, answer.text) == (200, text)


def test_a_folder_without_its_slash_is_redirected_without_a_host_or_port(serve: Serve) -> None:
    answer = serve(PAGES).get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (301, "/docs/")


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/empty/", "/empty", "/.env", "/.git/config", "/%2eenv", "/docs/../.env"),
        *("/Procfile", "/package-lock.json", "/node_modules/x/index.js", "/_redirects", "/x/.env"),
        *("/..%2f..%2fetc/passwd", "/index.html/x", "/.nginx.conf"),
    ],
)
def test_what_is_not_for_visitors_is_not_there(serve: Serve, path: str) -> None:
    answer = serve({**PAGES, "_redirects": "/x /y\n"}).get(path)
    assert answer.status_code in (400, 404), answer.text
    assert "SECRET" not in answer.text


def test_links_that_lead_out_are_refused_and_named_and_those_inside_are_served(
    serve: Serve,
) -> None:
    site = Site("x", ("dist",), "x")
    served = serve(
        {
            "dist/index.html": "home",
            "dist/inside.html": "-> index.html",
            "dist/passwords.txt": "-> /etc/passwd",
            "dist/up.txt": "-> ../secret.txt",
            "dist/all": "-> ..",
            "dist/.well-known/hidden.txt": "-> ../../secret.txt",
            "dist/node_modules/hidden.txt": "-> ../../secret.txt",
            "dist/dot.txt": "-> .env",
            "dist/.env": "secret",
            "secret.txt": "secret",
        },
        site,
    )
    assert served.get("/inside").text == "home"
    hidden = ("/.well-known/hidden.txt", "/node_modules/hidden.txt", "/dot.txt")
    for path in ("/passwords.txt", "/up.txt", "/all/secret.txt", *hidden):
        assert served.get(path).status_code == 404
    (notice,) = served.configuration.notices
    assert notice.message.count("txt") >= 3


def test_a_page_is_asked_for_again_and_a_hashed_name_is_kept_for_a_year(serve: Serve) -> None:
    site = Site("x", ("",), "x", hashed=(r"^/assets/.+-[0-9a-f]{8}\.js$",))
    served = serve({"index.html": "home", "assets/a-0123abcd.js": "1", "assets/a.js": "2"}, site)
    assert served.get("/").headers["cache-control"] == "no-cache"
    assert served.get("/assets/a.js").headers["cache-control"] == "no-cache"
    kept = served.get("/assets/a-0123abcd.js").headers["cache-control"]
    assert kept == "public, max-age=31536000, immutable"
    missing = served.get("/assets/b-0123abcd.js")
    assert missing.status_code == 404
    assert "cache-control" not in missing.headers


def test_what_a_visitor_has_is_not_sent_again(serve: Serve) -> None:
    served = serve(PAGES)
    first = served.get("/about")
    assert first.headers["last-modified"]
    again = served.get("/about", if_none_match=first.headers["etag"])
    assert (again.status_code, again.text) == (304, "")
    assert served.get("/about", range="bytes=1-2").text == "bo"


def test_text_is_compressed_before_it_is_asked_for(serve: Serve) -> None:
    served = serve({"index.html": "home " * 1000, "small.html": "x"})
    packed = served.get("/", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) < 500
    assert packed.text == "home " * 1000
    plain = served.get("/", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.text == packed.text
    assert plain.headers["etag"] != packed.headers["etag"]


def test_it_is_compressed_behind_a_proxy_too_and_by_brotli_for_who_knows_it(serve: Serve) -> None:
    served = serve({"index.html": "home " * 1000, "index.html.br": "packed"})
    behind = served.get("/", accept_encoding="gzip", via="1.1 vegur")
    assert behind.headers["content-encoding"] == "gzip"
    best = served.get("/", accept_encoding="gzip, deflate, br", via="1.1 vegur")
    assert best.headers["content-encoding"] == "br"


def test_types_and_the_headers_that_protect(serve: Serve) -> None:
    served = serve({"index.html": "x", "m.mjs": "", "a.wasm": "", "f.woff2": "", "x.unknown": ""})
    assert served.get("/m.mjs").headers["content-type"] == "application/javascript; charset=utf-8"
    assert served.get("/a.wasm").headers["content-type"] == "application/wasm"
    assert served.get("/f.woff2").headers["content-type"] == "font/woff2"
    assert served.get("/x.unknown").headers["content-type"] == "application/octet-stream"
    for path in ("/", "/missing"):
        assert served.get(path).headers["x-content-type-options"] == "nosniff"


SINGLE = Site("Vite", ("dist",), "x", is_single_page=True)


def test_a_single_page_app_shows_its_page_for_every_path_but_not_for_missing_files(
    serve: Serve,
) -> None:
    served = serve({"dist/index.html": "app", "dist/assets/a.js": "1"}, SINGLE)
    for path in ("/", "/users/7", "/users/7/", "/users/john.doe", "/a.b/c"):
        answer = served.get(path)
        assert (answer.status_code, answer.text) == (200, "app"), path
        assert answer.headers["cache-control"] == "no-cache"
    for path in ("/assets/old.js", "/favicon.ico", "/x.html", "/.env"):
        assert served.get(path).status_code == 404, path


def test_a_site_with_a_404_page_shows_that_with_its_status(serve: Serve) -> None:
    served = serve({"dist/index.html": "app", "dist/404.html": "lost"}, SINGLE)
    for path in ("/users/7", "/a/b/c.js", "/.env"):
        answer = served.get(path)
        assert (answer.status_code, answer.text) == (404, "lost"), path


def test_a_200_page_is_shown_instead_of_the_first_one(serve: Serve) -> None:
    served = serve({"index.html": "home", "200.html": "app"})
    assert [served.get(path).text for path in ("/", "/x")] == ["home", "app"]


REDIRECTS = """
# comment
/old            /new
/old/deep/*     /new/:splat      302   # with a comment
/users/:id/edit /edit?user=:id   301
/gone           https://example.com/x 308
/about.html     /new             301!
/api/*          https://api.example.com/:splat 200
/de/*           /de/404.html     404
/app/*          /app.html        200
/price          /$5              302
/geo            /x               302  Country=de
/n/*            /:splat
/*              /index.html      200
"""


def test_redirects_lead_where_netlify_leads(serve: Serve) -> None:
    files = {
        "index.html": "home",
        "about.html": "about",
        "app.html": "app",
        "de/404.html": "nichts",
        "404.html": "lost",
        "_redirects": REDIRECTS,
    }
    served = serve(files)
    moved = {
        "/old": (301, "/new"),
        "/old/": (301, "/new"),
        "/old?a=1": (301, "/new?a=1"),
        "/old/deep/a/b": (302, "/new/a/b"),
        "/old/deep": (302, "/new/"),
        "/users/7/edit": (301, "/edit?user=7"),
        "/gone": (308, "https://example.com/x"),
        "/about.html": (301, "/new"),
        "/price": (302, "/$5"),
        "/n//evil.example/x": (301, "/evil.example/x"),
    }
    for path, expected in moved.items():
        answer = served.get(path)
        assert (answer.status_code, answer.headers.get("location")) == expected, path
    shown = {
        "/about": (200, "about"),
        "/app/x/y": (200, "app"),
        "/de/x": (404, "nichts"),
        "/whatever": (200, "home"),
    }
    for path, shows in shown.items():
        answer = served.get(path)
        assert (answer.status_code, answer.text) == shows, path
    (notice,) = served.configuration.notices
    assert "/api/*" in notice.message
    assert "Country=de" in notice.message
    assert "/price" not in notice.message


def test_a_rewrite_of_everything_shows_its_page_for_pages_only(serve: Serve) -> None:
    headers = "/static/*\n  Cache-Control: public, max-age=31536000, immutable\n"
    rules = "/data/* /data.json 200\n/* /index.html 200\n"
    served = serve(
        {"index.html": "app", "data.json": "{}", "_redirects": rules, "_headers": headers}
    )
    assert served.get("/users/7").text == "app"
    assert served.get("/data/x.json").text == "{}"
    missing = served.get("/static/js/main.deadbeef.js")
    assert missing.status_code == 404
    assert "cache-control" not in missing.headers


def test_only_the_first_rule_that_fits_counts_and_a_splat_may_stand_in_a_query(
    serve: Serve,
) -> None:
    rules = "/a /docs/a\n/docs/* /docs/b/:splat\n/foo/* /bar?url=:splat\n/v/0.72/* /v/:splat\n"
    served = serve({"index.html": "x", "_redirects": rules})
    assert served.get("/a").headers["location"] == "/docs/a"
    assert served.get("/foo/b/c").headers["location"] == "/bar?url=b/c"
    assert served.get("/v/0.72/x?q=1").headers["location"] == "/v/x?q=1"


HEADERS = """
/*
  X-Frame-Options: DENY
  Link: </a.css>; rel=preload
/docs/*
  X-Frame-Options: SAMEORIGIN
  Cache-Control: public, max-age=60
  Link: </b.css>; rel=preload
  Price: $5 "each" \\n
/:page/deep
  X-Deep: yes
/bad
  Content-Length: 7
  no colon
"""


def test_headers_are_sent_where_they_are_asked_for(serve: Serve) -> None:
    served = serve(
        {"index.html": "x", "docs/index.html": "d", "a/deep.html": "e", "_headers": HEADERS}
    )
    first, docs = served.get("/"), served.get("/docs/")
    assert first.headers["x-frame-options"] == "DENY"
    assert first.headers["cache-control"] == "no-cache"
    assert docs.headers["x-frame-options"] == "SAMEORIGIN"
    assert docs.headers["cache-control"] == "public, max-age=60"
    assert docs.headers["price"] == '$5 "each" \\n'
    assert docs.headers.get_list("link") == ["</a.css>; rel=preload", "</b.css>; rel=preload"]
    assert served.get("/a/deep").headers["x-deep"] == "yes"
    assert docs.headers["x-content-type-options"] == "nosniff"
    (notice,) = served.configuration.notices
    assert "Content-Length" in notice.message
    assert "no colon" in notice.message


@pytest.mark.parametrize(
    "text",
    [
        '/" /x"; } } evil {',
        "/a{b}c /d;e",
        "/x\\ /y\\",
        "/$uri /${document_root}",
        "/(?<a>x)[ /b",
        "/" + "a" * 900 + " /b",
        "\n".join(f"/p{number}/:a/:b/* /q{number}/:b/:a/:splat" for number in range(500)),
        "/é /ü",
        "/:a/:a/* /x/:a",
    ],
)
def test_no_line_of_redirects_or_headers_breaks_the_configuration(serve: Serve, text: str) -> None:
    headers = "\n".join(f"{line.split()[0]}\n  X-A: {line}" for line in text.splitlines()[:50])
    served = serve({"index.html": "home", "_redirects": text, "_headers": headers})
    assert served.get("/").text == "home"
