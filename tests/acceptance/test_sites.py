"""Sites of static files, pushed as they are: served by a web server, and not by Node.js."""

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import SAMPLES, remote_lines


def test_plain_html_is_live_without_a_package_json_and_so_is_a_changed_line(
    new_app: NewApp,
) -> None:
    developer = new_app(SAMPLES / "html")
    first = developer.push()
    assert remote_lines(first)[0].endswith("Static site detected: HTML"), first.err
    page = developer.get()
    assert "Hello from plain HTML" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "About us" in developer.get("/about").text
    assert developer.get("/nothing").status_code == 404
    developer.write(
        index__html=page.text.replace("Hello from", "Good day from"), _redirects="/old /about 302\n"
    )
    developer.write(long__html="long " * 1000)
    developer.commit()
    second = developer.push()
    assert "Good day from plain HTML" in developer.get().text
    assert developer.get("/long").headers["content-encoding"] == "gzip"
    moved = developer.get("/old")
    assert (moved.status_code, moved.headers["location"]) == (302, "/about"), second.err


def test_what_a_build_leaves_is_served_though_the_start_script_is_for_development(
    new_app: NewApp,
) -> None:
    developer = new_app(SAMPLES / "site-build")
    first = developer.push()
    said = "\n".join(remote_lines(first))
    assert "the start script is for development (vite)" in said
    page = developer.get("/any/path")
    assert (page.status_code, "built" in page.text) == (200, True)
    asset = developer.get("/assets/index-B4x0Qz7_.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert developer.get("/assets/index-older.js").status_code == 404
    assert developer.get("/package.json").status_code == 404


def test_a_build_that_leaves_no_page_is_refused_with_what_it_left_and_can_be_told_the_folder(
    new_app: NewApp,
) -> None:
    developer = new_app(SAMPLES / "site-build")
    script = (developer.folder / "build.js").read_text()
    developer.write(build__js=script.replace("dist", "web/pages"))
    developer.commit()
    refused = developer.push(check=False)
    assert refused.status == 1, refused.text
    said = "\n".join(remote_lines(refused))
    assert "there is an index.html in" in said
    assert "web/pages" in said
    developer.write(static__json='{"root": "web/pages"}')
    developer.commit()
    developer.push()
    assert "built" in developer.get().text
