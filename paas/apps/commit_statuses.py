"""The status of a commit, as the API of each git host is told it. Pure.

GitHub: https://docs.github.com/rest/commits/statuses#create-a-commit-status
GitLab: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
Gitea, Forgejo: `repoCreateStatus` of https://docs.gitea.com/api
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum

from paas.apps.git_connections import GitConnection, Kind, api_of, api_token

DESCRIPTION_CHARACTERS_MAX = 140
"""GitHub's; the others take more."""


class State(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


_GITLABS = {State.PENDING: "running", State.SUCCESS: "success", State.FAILURE: "failed"}


@dataclass(frozen=True)
class Report:
    """A POST of a host's API."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes


def report(
    connection: GitConnection, commit: str, state: State, app: str, target: str, said: str
) -> Report:
    """`said` in a line; `target` is where a click on it leads."""
    said = " ".join(said.split())
    if len(said) > DESCRIPTION_CHARACTERS_MAX:
        said = said[: DESCRIPTION_CHARACTERS_MAX - 1] + "…"
    fields = {"description": said, "target_url": target, "context": f"smartplatform/{app}"}
    token = api_token(connection)
    match connection.kind:
        case Kind.GITHUB:
            headers = {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
            fields["state"] = state
        case Kind.GITLAB:
            headers = {"PRIVATE-TOKEN": token}
            fields |= {"state": _GITLABS[state], "ref": connection.branch}
        case Kind.GITEA:
            headers = {"Authorization": f"token {token}"}
            fields["state"] = state
    url = f"{api_of(connection)}/statuses/{commit}"
    headers["Content-Type"] = "application/json"
    return Report(url, headers, json.dumps(fields).encode())
