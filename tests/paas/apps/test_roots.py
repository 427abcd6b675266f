import pytest

from paas.apps.roots import check, of
from paas.errors import UserError


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("services/api", "services/api"),
        ("./services/api/", "services/api"),
        ("/services/api", "services/api"),
        ("@scope/x_y.z", "@scope/x_y.z"),
        ("/", ""),
        (".", ""),
        ("", ""),
        (" web ", "web"),
    ],
)
def test_a_folder_is_written_in_one_way(text: str, folder: str) -> None:
    assert check(text) == folder


@pytest.mark.parametrize(
    "text",
    ["..", "a/../b", "../a", "a//b", "a:b", "a b", "a\nb", "a;b", ".git", "a/.b", "$(x)", "ä"],
)
def test_what_names_no_folder_of_a_repository_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="can't be the root"):
        check(text)


def test_the_setting_goes_before_herokus_config_var() -> None:
    assert of("web", {"PROJECT_PATH": "api"}) == "web"
    assert of("", {"PROJECT_PATH": "api/"}) == "api"
    assert of("", {}) == ""
    with pytest.raises(UserError, match="PROJECT_PATH"):
        of("", {"PROJECT_PATH": "../api"})
