"""A registry's refusal is explained by what the app's own files say of its token."""

import pytest

from buildpacks.nodejs.failures import classify
from tests.buildpacks.nodejs.trees import Files

NPM_401 = "npm error code E401\nnpm error Unable to authenticate, your authentication token seems"
NPMRC = "@acme:registry=https://npm.acme.example/\n//npm.acme.example/:_authToken=${NPM_TOKEN}\n"
OUTPUTS = [
    ("npm", NPM_401),
    ("npm", "npm error code E404\nnpm error 404  '@acme/a@1' is not in this registry."),
    ("pnpm", " ERR_PNPM_FETCH_401  GET https://npm.acme.example/a: Unauthorized - 401"),
    ("pnpm", "Error: HTTP status client error (401 Unauthorized) for url (https://x/a)"),
    (
        "yarn",
        'error An unexpected error occurred: "https://x/a: Request failed \\"403 Forbidden\\"".',
    ),
    (
        "yarn",
        'error An unexpected error occurred: "Failed to replace env in config: ${NPM_TOKEN}".',
    ),
    ("bun", "error: GET https://npm.acme.example/@acme%2fa - 401"),
]


@pytest.mark.parametrize(("manager", "said"), OUTPUTS)
def test_a_config_var_that_is_not_set_is_named(manager: str, said: str) -> None:
    tree = Files(**{".npmrc": NPMRC})
    found = classify("install", 1, said, manager=manager, tree=tree)
    assert found.id == "registry_token_not_set"
    assert "NPM_TOKEN is not set" in found.message or "takes NPM_TOKEN" in found.message
    assert found.hint == "paas config:set NPM_TOKEN=<value>"


@pytest.mark.parametrize("settings", ['npmAuthToken: "${T:-}"', "npmAuthIdent: ${T}"])
def test_berry_reads_it_from_a_file_of_its_own(settings: str) -> None:
    tree = Files(**{".yarnrc.yml": settings, ".npmrc": NPMRC})
    said = "➤ YN0041: │ @acme/a@npm:1.0.0: Invalid authentication (as an anonymous user)"
    assert classify("install", 1, said, manager="berry", tree=tree).hint.endswith(" T=<value>")
    unset = "Usage Error: Environment variable not found (T) in /app/.yarnrc.yml"
    assert classify("install", 1, unset, manager="berry", tree=tree).hint.endswith(" T=<value>")


def test_all_that_are_not_set_are_set_at_once() -> None:
    tree = Files(**{".npmrc": "//a/:username=${WHO}\n//a/:_password=${HOW}\n//b/:_auth=${SET}\n"})
    found = classify("install", 1, NPM_401, tree=tree, config=["SET"])
    assert found.hint == "paas config:set WHO=<value> HOW=<value>"


def test_a_token_that_is_set_is_not_good() -> None:
    tree = Files(**{".npmrc": NPMRC})
    found = classify("install", 1, NPM_401, tree=tree, config=["NPM_TOKEN"])
    assert found.id == "registry_token_refused"
    assert "what is in NPM_TOKEN, which .npmrc sends" in found.message


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "# //a/:_authToken=${NPM_TOKEN}",
        "; //a/:_authToken=${NPM_TOKEN}",
        "cache=${HOME}/.cache",
        "//a/:_authToken=written-here",
        "//a/:_authToken=\\${NPM_TOKEN}",
    ],
)
def test_where_no_config_var_is_named_the_manager_s_own_hint_stands(settings: str) -> None:
    tree = Files(**{".npmrc": settings})
    assert classify("install", 1, NPM_401, tree=tree).id == "npm_unauthorized"
    assert classify("install", 1, NPM_401).id == "npm_unauthorized"


def test_a_missing_package_is_not_a_token_that_is_not_good() -> None:
    tree = Files(**{".npmrc": NPMRC})
    said = "npm error code E404\nnpm error 404  'expres@1' is not in this registry."
    found = classify("install", 1, said, tree=tree, config=["NPM_TOKEN"])
    assert found.id == "npm_package_not_found"
