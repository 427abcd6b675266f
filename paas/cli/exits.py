"""Exit codes of the `paas` command. Documented by `paas help`; scripts depend on them."""

from paas.errors import UserError

CODES = {
    0: "done",
    1: "failed",
    2: "wrong usage",
    3: "not found (an app, a release, a domain, …)",
    4: "not logged in, or not allowed",
    5: "the platform does not run or can't be reached",
    130: "interrupted (Ctrl-C)",
}
_BY_ID = {"usage": 2, "not_found": 3, "unauthorized": 4, "forbidden": 4, "platform_unavailable": 5}


def exit_code(error: UserError) -> int:
    return _BY_ID.get(error.id, error.exit_code)
