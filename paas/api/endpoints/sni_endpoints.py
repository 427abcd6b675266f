"""Certificates that an app's owner brings, which Heroku calls SNI endpoints; and the own root."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paas.api import context, paging, serial
from paas.apps.apps import App
from paas.apps.domains import Domain
from paas.apps.provided_certificates import ProvidedCertificate
from paas.settings import Settings
from paas.store import domains, provided_certificates


async def create(request: Request) -> Response:
    chain, key = _pair(await context.json_object(request))
    app = await context.app_of(request)
    made = await context.platform(request).certificates.add(app, chain, key)
    return JSONResponse(await _one(request, app, made), status_code=201)


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    found = await database.run(provided_certificates.for_app, app.id)
    served = await database.run(domains.for_app, app.id)
    return paging.answer(request, [serialise(app, each, served) for each in found], key="name")


async def info(request: Request) -> Response:
    app = await context.app_of(request)
    database = context.platform(request).database
    name = request.path_params["name"]
    found = await database.run(provided_certificates.named, app.id, name)
    return JSONResponse(await _one(request, app, found))


async def update(request: Request) -> Response:
    chain, key = _pair(await context.json_object(request))
    app = await context.app_of(request)
    platform = context.platform(request)
    changed = await platform.certificates.update(app, request.path_params["name"], chain, key)
    return JSONResponse(await _one(request, app, changed))


async def delete(request: Request) -> Response:
    app = await context.app_of(request)
    platform = context.platform(request)
    removed = await platform.certificates.remove(app, request.path_params["name"])
    return JSONResponse(serialise(app, removed, []))


async def root(request: Request) -> Response:
    """The certificate of the installation's own authority, as PEM: who trusts it trusts us."""
    settings = context.platform(request).settings
    text = await asyncio.to_thread(_root, settings)
    return Response(text, media_type="application/x-pem-file")


def _root(settings: Settings) -> str:
    """Made when it is first asked for; control's own port speaks TLS with it as well."""
    if not settings.root_certificate.exists():
        from paas.certificates.authority import Authority

        Authority.open(settings.root_certificate, settings.installation)
    return settings.root_certificate.read_text()


def _pair(body: dict[str, Any]) -> tuple[str, str]:
    chain, key = (context.text(body, name) for name in ("certificate_chain", "private_key"))
    if not chain:
        raise context.invalid("certificate_chain", "the certificate as PEM")
    if not key:
        raise context.invalid("private_key", "the private key as PEM")
    return chain, key


async def _one(request: Request, app: App, found: ProvidedCertificate) -> dict[str, Any]:
    served = await context.platform(request).database.run(domains.for_app, app.id)
    return serialise(app, found, served)


def serialise(app: App, found: ProvidedCertificate, served: list[Domain]) -> dict[str, Any]:
    """The key is never given back."""
    content = found.content
    return {
        "app": serial.app_reference(app),
        "certificate_chain": content.chain,
        "cname": None,
        "created_at": serial.moment(found.created_at),
        "display_name": None,
        "domains": [each.id for each in served if each.endpoint_id == found.id],
        "id": found.id,
        "name": found.name,
        "ssl_cert": {
            "acm": False,
            "ca_signed?": content.is_trusted,
            "cert_domains": list(content.names),
            "expires_at": serial.moment(content.expires_at),
            "id": found.id,
            "issuer": content.issuer,
            "self_signed?": content.issuer == content.subject,
            "starts_at": serial.moment(content.starts_at),
            "subject": content.subject,
        },
        "updated_at": serial.moment(found.updated_at),
        "username": None,
    }


ROUTES = [
    Route("/apps/{app}/sni-endpoints", create, methods=["POST"]),
    Route("/apps/{app}/sni-endpoints", index, methods=["GET"]),
    Route("/apps/{app}/sni-endpoints/{name}", info, methods=["GET"]),
    Route("/apps/{app}/sni-endpoints/{name}", update, methods=["PATCH"]),
    Route("/apps/{app}/sni-endpoints/{name}", delete, methods=["DELETE"]),
    Route("/smartplatform/root-certificate", root, methods=["GET"]),
]
