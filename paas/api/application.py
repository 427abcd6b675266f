"""The API as an ASGI application."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from paas.api import failure
from paas.api.auditing import Auditing
from paas.api.authentication import Authentication
from paas.api.endpoints import (
    absent,
    account,
    accounts,
    app_transfers,
    apps,
    audit,
    authorizations,
    buildpack_installations,
    builds,
    catalog,
    collaborators,
    config_vars,
    crons,
    deploys,
    domains,
    dynos,
    formation,
    git_connections,
    keys,
    log_drains,
    log_sessions,
    objects,
    own,
    pipelines,
    promotions,
    refused,
    releases,
    routing,
    runs,
    sni_endpoints,
    sources,
)
from paas.api.entity_tag import EntityTag
from paas.api.logins import Logins
from paas.api.request_id import RequestId
from paas.api.signature import Signer
from paas.operations.served import Served


def routes() -> list[BaseRoute]:
    return [
        *account.ROUTES,
        *accounts.ROUTES,
        *app_transfers.ROUTES,
        *audit.ROUTES,
        *authorizations.ROUTES,
        *keys.ROUTES,
        *apps.ROUTES,
        *formation.ROUTES,
        *dynos.ROUTES,
        *runs.ROUTES,
        *config_vars.ROUTES,
        *releases.ROUTES,
        *builds.ROUTES,
        *deploys.ROUTES,
        *buildpack_installations.ROUTES,
        *sources.ROUTES,
        *git_connections.ROUTES,
        *log_drains.ROUTES,
        *log_sessions.ROUTES,
        *crons.ROUTES,
        *domains.ROUTES,
        *routing.ROUTES,
        *sni_endpoints.ROUTES,
        *collaborators.ROUTES,
        *catalog.ROUTES,
        *objects.ROUTES,
        *pipelines.ROUTES,
        *promotions.ROUTES,
        *own.ROUTES,
        *absent.ROUTES,
        *refused.ROUTES,
    ]


def application(platform: Served) -> Starlette:
    """Handlers find the platform as `request.app.state.platform`."""
    logins = Logins(platform.database)
    api = Starlette(
        routes=routes(),
        middleware=[
            Middleware(RequestId),
            Middleware(EntityTag),
            Middleware(Authentication, database=platform.database, logins=logins),
            Middleware(Auditing, database=platform.database),
        ],
        exception_handlers=failure.HANDLERS,
    )
    api.router.redirect_slashes = False
    api.state.platform = platform
    api.state.signer = Signer()
    api.state.logins = logins
    return api
