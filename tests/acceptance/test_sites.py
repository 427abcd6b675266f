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
    developer.commit()
    second = developer.push()
    assert "Good day from plain HTML" in developer.get().text
    moved = developer.get("/old")
    assert (moved.status_code, moved.headers["location"]) == (302, "/about"), second.err
