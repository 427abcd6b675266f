"""Domains: the app's own name under the base domain, and those that were added."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps import address, routing
from paas.apps import domains as domain_rules
from paas.apps.apps import App
from paas.apps.certificates import Certificate, State, explanation
from paas.apps.domains import Domain
from paas.apps.provided_certificates import ProvidedCertificate
from paas.certificates.hostnames import issuer
from paas.errors import NotFound
from paas.settings import Settings
from paas.store import certificates
from paas.store import domains as stored
from paas.store import provided_certificates as provided
from paas.store.sql.row import now
from paas.system import addresses

_STATUS = {
    State.WAITING_FOR_DNS: "pending",
    State.ISSUING: "in-progress",
    State.ISSUED: "cert issued",
    State.FAILED: "failed",
}


async def create(request: Request) -> Response:
    body = await context.json_object(request)
    hostname = context.text(body, "hostname")
    if not hostname:
        raise context.invalid("hostname", "a host name")
    app = await context.app_of(request)
    platform = context.platform(request)
    certificate = context.text(body, "sni_endpoint")
    domain = await platform.domains.add(app, hostname, certificate)
    [answer] = await _with_certificates(request, [serialise(app, domain, platform.settings)])
    return JSONResponse(answer, status_code=201)


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    return paging.answer(request, await _all(request, app), key="hostname")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    asked = request.path_params["hostname"]
    wanted = (asked.lower(), domain_rules.typed(asked))
    for domain in await _all(request, app):
        if {domain["hostname"], domain["id"]} & set(wanted):
            return JSONResponse(domain)
    raise NotFound(f"The app has no domain {asked!r}.", "`paas domains` lists them.")


async def update(request: Request) -> Response:
    """Heroku's way to say which certificate serves a domain."""
    body = await context.json_object(request)
    if "sni_endpoint" not in body:
        raise context.invalid("sni_endpoint", "the name of a certificate, or null")
    app = await context.app_of(request)
    platform = context.platform(request)
    chosen = context.text(body, "sni_endpoint")
    domain = await platform.domains.serve_with(app, request.path_params["hostname"], chosen)
    [answer] = await _with_certificates(request, [serialise(app, domain, platform.settings)])
    return JSONResponse(answer)


async def delete(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    domain = await platform.domains.remove(app, request.path_params["hostname"])
    return JSONResponse(serialise(app, domain, platform.settings))


async def _all(request: Request, app: App) -> list[dict[str, Any]]:
    platform = context.platform(request)
    added = await platform.database.run(stored.for_app, app.id)
    others = [serialise(app, domain, platform.settings) for domain in added]
    return await _with_certificates(request, [_own(app, platform.settings), *others])


async def _with_certificates(request: Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is known of the domains' certificates, in Heroku's words; nothing without TLS."""
    platform = context.platform(request)
    if not platform.settings.router_tls_port:
        return found
    app = await context.app_of(request)
    own = {each.id: each for each in await platform.database.run(provided.for_app, app.id)}
    known = await platform.database.run(certificates.named, [each["hostname"] for each in found])
    return [
        domain | _tls(domain, own, known.get(domain["hostname"]), platform.settings)
        for domain in found
    ]


def _tls(
    domain: dict[str, Any],
    own: Mapping[str, ProvidedCertificate],
    certificate: Certificate | None,
    settings: Settings,
) -> dict[str, Any]:
    """`certificate_from` says whose signature the domain has or gets: own, acme or local."""
    brought = own.get((domain["sni_endpoint"] or {}).get("id", ""))
    if brought is not None and brought.content.expires_at > now():
        endpoint = {"id": brought.id, "name": brought.name}
        return {"certificate_from": "own", "sni_endpoint": endpoint}
    told: dict[str, Any] = {"certificate_from": str(issuer(settings, domain["hostname"]))}
    if brought is not None:
        endpoint = {"id": brought.id, "name": brought.name}
        reason = f"the certificate {brought.name} has ended: paas certs:update CRT KEY"
        told |= {"sni_endpoint": endpoint, "acm_status": "failed", "acm_status_reason": reason}
        return told
    if certificate is None:
        return told | {"acm_status": "pending"}
    return told | {
        "acm_status": _STATUS[certificate.state],
        "acm_status_reason": explanation(certificate) or None,
    }


def serialise(app: App, domain: Domain, settings: Settings) -> dict[str, Any]:
    return {
        "acm_status": None,
        "acm_status_reason": None,
        "addresses": addresses.outward(),
        "app": serial.app_reference(app),
        "certificate_from": None,
        "cname": address.hostname(app.name, settings),
        "created_at": serial.moment(domain.created_at),
        "hostname": domain.hostname,
        "https": _https(app, settings),
        "id": domain.id,
        "kind": "custom",
        "sni_endpoint": {"id": domain.endpoint_id} if domain.endpoint_id else None,
        "status": "none",
        "updated_at": serial.moment(domain.created_at),
    }


def _https(app: App, settings: Settings) -> str | None:
    """What http requests get: `optional` or `redirect`; None where the router speaks no TLS."""
    return str(routing.effective(app.routing)["https"]) if settings.router_tls_port else None


def _own(app: App, settings: Settings) -> dict[str, Any]:
    hostname = address.hostname(app.name, settings)
    own = Domain(serial.derived_id("domain", app.id), app.id, hostname, app.created_at)
    return {**serialise(app, own, settings), "cname": None, "kind": "heroku"}


ROUTES = [
    Route("/apps/{app}/domains", create, methods=["POST"]),
    Route("/apps/{app}/domains", index, methods=["GET"]),
    Route("/apps/{app}/domains/{hostname}", info, methods=["GET"]),
    Route("/apps/{app}/domains/{hostname}", update, methods=["PATCH"]),
    Route("/apps/{app}/domains/{hostname}", delete, methods=["DELETE"]),
]
