"""Pipelines: apps in stages, between which an image is promoted. Names and stages are Heroku's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.errors import NotFound, UserError

NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


class Stage(StrEnum):
    REVIEW = "review"
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


_ORDER = (Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION)
"""In which an image is promoted; from a review app it can't be (Heroku's rule)."""
_GUESSES = (
    (Stage.DEVELOPMENT, re.compile(r"-(dev|development|uat|tst|test|qa)$")),
    (Stage.STAGING, re.compile(r"-(stg|staging)$")),
    (Stage.PRODUCTION, re.compile(r"-(prd|prod|production|admin|demo)$")),
)


@dataclass(frozen=True)
class Pipeline:
    """`owner` is the e-mail of an account."""

    id: str
    name: str
    owner: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Coupling:
    """An app's place in a pipeline; it has one at most."""

    id: str
    pipeline_id: str
    app_id: str
    stage: Stage
    created_at: datetime
    updated_at: datetime


def check_name(name: str) -> str:
    """The name itself. Raises UserError when it can't name a pipeline."""
    if not NAME.fullmatch(name):
        raise UserError(
            "invalid_params",
            f"{name[:40]!r} can't name a pipeline",
            "Names start with a letter, have 3 to 30 lower-case letters, digits and dashes, "
            "and do not end with a dash.",
        )
    return name


def check_stage(text: str) -> Stage:
    """Raises UserError."""
    if text not in set(Stage):
        raise UserError(
            "invalid_params",
            f"There is no stage {text[:40]!r}.",
            f"The stages are {', '.join(Stage)}.",
        )
    return Stage(text)


def guess(app: str) -> tuple[str, Stage]:
    """A pipeline's name and a stage, from an app's name such as hello-staging; as Heroku does."""
    for stage, ending in _GUESSES:
        if ending.search(app):
            return ending.sub("", app), stage
    return app, Stage.PRODUCTION


def after(stage: Stage) -> Stage | None:
    """Where its apps are promoted to; None where that is nowhere."""
    place = _ORDER.index(stage) + 1 if stage in _ORDER else len(_ORDER)
    return _ORDER[place] if place < len(_ORDER) else None


def downstream(couplings: Sequence[Coupling], mine: Coupling) -> list[Coupling]:
    """Those of the next stage."""
    stage = after(mine.stage)
    return [each for each in couplings if each.stage is stage]


def unknown(name: str) -> NotFound:
    return NotFound(f"Couldn't find the pipeline {name[:60]!r}.", "`paas pipelines` lists yours.")
