"""What the commands on pipelines ask, print and return."""

from typing import Any

import fake_api

Answer = fake_api.Answer
SHOP: dict[str, Any] = {"id": "p1", "name": "shop"}


def coupling(app: str, stage: str) -> dict[str, Any]:
    return {"id": f"c-{app}", "app": {"id": f"id-{app}"}, "pipeline": SHOP, "stage": stage}


def app(name: str) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name}


def in_pipeline(api: Any, **stages: str) -> None:
    names = {name.replace("_", "-"): stage for name, stage in stages.items()}
    couplings = [coupling(name, stage) for name, stage in names.items()]
    for each, name in zip(couplings, names, strict=True):
        api.answers[f"GET /apps/{name}/pipeline-couplings"] = Answer(each)
    api.answers["GET /pipelines/p1"] = Answer(SHOP)
    api.answers["GET /pipelines/shop"] = Answer(SHOP)
    api.answers["GET /pipelines/p1/pipeline-couplings"] = Answer(couplings)
    api.answers["POST /filters/apps"] = Answer([app(name) for name in names])


def test_a_pipeline_is_made_with_the_name_and_stage_of_its_app(api, cli) -> None:
    api.answers["POST /pipelines"] = Answer(SHOP, 201)
    api.answers["POST /pipeline-couplings"] = Answer(coupling("shop-staging", "staging"), 201)
    result = cli("pipelines:create", "-a", "shop-staging")
    assert result.err == (
        "Creating the pipeline shop... done\nAdding ⬢ shop-staging to shop as staging... done\n"
    )
    assert [asked.body for asked in api.asked] == [
        {"name": "shop"},
        {"app": "shop-staging", "pipeline": "p1", "stage": "staging"},
    ]


def test_a_pipeline_whose_app_can_not_be_added_is_not_left(api, cli) -> None:
    api.answers["POST /pipelines"] = Answer(SHOP, 201)
    api.answers["DELETE /pipelines/p1"] = Answer(SHOP)
    assert cli("pipelines:create", "shop", "-a", "hello").code == 3
    assert api.requests()[-1] == "DELETE /pipelines/p1"


def test_promoting_goes_to_the_next_stage_and_says_what_became_of_each(api, cli) -> None:
    in_pipeline(api, shop_staging="staging", shop="production", shop_eu="production")
    api.answers["POST /pipeline-promotions"] = Answer({"id": "m1"}, 201)
    pending = [{"app": {"id": "id-shop"}, "status": "pending"}]
    ended = [
        {"app": {"id": "id-shop"}, "status": "succeeded", "error_message": None},
        {"app": {"id": "id-shop-eu"}, "status": "failed", "error_message": "no room"},
    ]
    place = "GET /pipeline-promotions/m1/promotion-targets"
    api.answers[place] = [Answer(pending), Answer(ended)]
    result = cli("pipelines:promote", "-a", "shop-staging")
    assert result.err == "Promoting ⬢ shop-staging to shop, shop-eu... done\n"
    assert result.out == "⬢ shop     succeeded\n⬢ shop-eu  failed     no room\n"
    assert result.code == 1
    body = next(asked.body for asked in api.asked if asked.path == "/pipeline-promotions")
    assert body["source"] == {"app": {"id": "id-shop-staging"}}
    assert body["targets"] == [{"app": {"id": "id-shop"}}, {"app": {"id": "id-shop-eu"}}]


def test_promoting_to_nowhere_says_who_is_where(api, cli) -> None:
    in_pipeline(api, shop="production")
    result = cli("pipelines:promote", "-a", "shop")
    assert result.code == 3
    assert "⬢ shop is in production, and nothing comes after that." in result.err
    assert "paas pipelines:info shop" in result.err
    assert cli("pipelines:info", "shop").out == "=== Pipeline shop\n\nshop  production\n"
    result = cli("pipelines:promote", "-a", "shop", "--to", "other")
    assert "To put it there: paas pipelines:add shop -a other" in result.err


def test_a_difference_is_told_in_commits(api, cli) -> None:
    commit = {"id": "d46bbcc6" * 5, "time": 1_764_547_200, "author": "Ada", "subject": "Greet"}
    found = {"app": {"name": "shop"}, "ahead": [], "behind": 0, "commit": "1" * 40}
    found |= {"compared": True, "stage": "production"}
    api.answers["GET /smartplatform/apps/shop-staging/pipeline-differences"] = Answer(
        [
            found,
            {**found, "ahead": [commit], "behind": 2},
            {**found, "compared": False},
            {**found, "commit": None},
        ]
    )
    assert cli("pipelines:diff", "-a", "shop-staging").out == (
        "⬢ shop-staging is up to date with ⬢ shop.\n"
        "⬢ shop-staging lacks 2 commits of ⬢ shop: promoting goes back over them.\n"
        "=== ⬢ shop-staging is ahead of ⬢ shop by 1 commit\n\n"
        "d46bbcc6  2025-12-01  Ada  Greet\n"
        "⬢ shop runs 1111111111, which was not pushed to ⬢ shop-staging.\n"
        "⬢ shop has no release yet: promoting brings it the first.\n"
    )


def test_apps_move_and_leave(api, cli) -> None:
    in_pipeline(api, shop="production")
    api.answers["PATCH /pipeline-couplings/c-shop"] = Answer(coupling("shop", "staging"))
    api.answers["DELETE /pipeline-couplings/c-shop"] = Answer(coupling("shop", "staging"))
    api.answers["PATCH /pipelines/shop"] = Answer({**SHOP, "name": "store"})
    api.answers["DELETE /pipelines/shop"] = Answer(SHOP)
    assert cli("pipelines:update", "-a", "shop").code == 2
    assert cli("pipelines:update", "-a", "shop", "-s", "staging").code == 0
    assert api.asked[-1].body == {"stage": "staging"}
    assert cli("pipelines:remove", "-a", "shop").code == 0
    assert cli("pipelines:rename", "shop", "store").code == 0
    assert cli("pipelines:destroy", "shop").code == 0
