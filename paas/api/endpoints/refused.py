"""What Heroku has and this platform does not do: refused by its name, with what there is instead.

The paths are those of Heroku's Platform API (its schema, version 3). They stand behind all that is
served: an endpoint that is built later is found before its refusal. Who asks for such a thing is
told that there is none (404, which Heroku's clients take for an answer); who wants to make or
change one, that it can't be (501).
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paas.api import context
from paas.errors import NotFound, UserError

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Refusal:
    """What is not done here, what there is instead, the paths that ask for it, and whether all
    that is below them asks for it as well.
    """

    message: str
    instead: str
    paths: tuple[str, ...]
    below: bool = True


REFUSALS = (
    Refusal(
        "Add-ons can't be had here: the platform sells none.",
        "A database that runs elsewhere is reached by a config var:\n"
        "paas config:set DATABASE_URL=postgres://…",
        (
            "/addons",
            "/addon-attachments",
            "/addon-services",
            "/addon-region-capabilities",
            "/regions/{region}/addon-region-capabilities",
            "/plans",
            "/actions/addons",
            "/actions/addon-attachments",
            "/apps/{app}/addons",
            "/apps/{app}/addon-attachments",
            "/users/{user}/addons",
        ),
    ),
    Refusal(
        "There are no teams here.",
        "Somebody works on an app after: paas access:add EMAIL",
        ("/teams", "/organizations", "/enterprise-accounts"),
    ),
    Refusal(
        "There are no private spaces here: the hosts are your own.",
        "Each app's zones are walled off from those of all others as they are.",
        ("/spaces",),
    ),
    Refusal(
        "The platform calls no webhooks.",
        "What happens to an app is told in its log: paas logs --source heroku -t",
        ("/apps/{app}/webhooks", "/apps/{app}/webhook-deliveries", "/apps/{app}/webhook-events"),
    ),
    Refusal(
        "The platform runs no tests.",
        "Let your CI run them, and let it push what has passed: git push paas main",
        ("/test-runs", "/pipelines/{pipeline}/test-runs"),
    ),
    Refusal(
        "Pipelines make no review apps here, and are handed to nobody else.",
        "A branch goes to an app of its own by a remote of its own:\n"
        "paas git:remote -a staging -r staging",
        ("/pipelines", "/pipeline-transfers", "/review-apps", "/apps/{app}/review-app"),
    ),
    Refusal(
        "The platform sends no telemetry elsewhere.",
        "Prometheus reads the platform's figures at /metrics.",
        ("/telemetry-drains", "/apps/{app}/telemetry-drains"),
    ),
    Refusal(
        "Slugs can't be brought here: an image is made from the source.",
        "A folder is deployed without git by: paas deploy",
        ("/apps/{app}/slugs", "/app-setups"),
    ),
    Refusal(
        "Container images can't be released here: an image is made from the source.",
        "git push paas main makes it.",
        ("/apps/{app}/oci-images",),
    ),
    Refusal(
        "Certificates are not switched app by app to automatic ones.",
        "A domain without a certificate of yours gets one by itself where the operator has set\n"
        "acme_email. paas certs lists those that you brought.",
        ("/apps/{app}/acm",),
    ),
    Refusal(
        "The cache of an app's builds can't be emptied for later.",
        "A build without it: git push -o no-cache, or paas builds:create --no-cache",
        ("/apps/{app}/build-cache",),
    ),
    Refusal(
        "Apps and accounts have no features that are switched on and off here.",
        "paas routing has an app's settings.",
        ("/account/features", "/apps/{app}/features"),
    ),
    Refusal(
        "Nothing is billed here: there are no invoices, credits or debts.",
        "",
        (
            "/account/credits",
            "/account/delinquency",
            "/account/invoice-address",
            "/account/invoices",
        ),
    ),
    Refusal(
        "Other programs can't be registered here to log in for somebody.",
        "A token for a program is made by: paas auth:token -d NAME",
        ("/oauth/clients", "/oauth/tokens"),
    ),
    Refusal(
        "Accounts can't be changed by this way.",
        "Who operates the platform does it by: paas accounts",
        ("/account", "/users/{user}"),
        below=False,
    ),
    Refusal(
        "Passwords are not reset by this way; telephone numbers and preferences are not kept.",
        "Who has forgotten a password asks who operates the platform: paas accounts:invite EMAIL",
        (
            "/password-resets",
            "/users/{user}/sms-number",
            "/users/{user}/preferences",
        ),
    ),
    Refusal(
        "There is one generation of the platform.",
        "",
        ("/generations",),
    ),
)


def _route(path: str, refusal: Refusal) -> Route:
    async def refuse(request: Request) -> Response:
        if "app" in request.path_params:
            await context.app_of(request)  # an app that is not there is the first thing to say
        if request.method == "GET":
            raise NotFound(refusal.message, refusal.instead)
        raise UserError("not_implemented", refusal.message, refusal.instead)

    return Route(path, refuse, methods=METHODS)


ROUTES = [
    _route(path + below, refusal)
    for refusal in REFUSALS
    for path in refusal.paths
    for below in ("", "/{below:path}")[: 1 + refusal.below]
]
