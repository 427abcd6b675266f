"""Who may work on an app: its owner, the one account there is."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paas.api import context, paging, serial


async def index(request: Request) -> Response:
    app = await context.app_of(request)
    moment = serial.moment(app.created_at)
    owner = {
        "app": serial.app_reference(app),
        "created_at": moment,
        "id": serial.derived_id("collaborator", app.id, app.owner),
        "permissions": [],
        "role": "owner",
        "updated_at": moment,
        "user": {**serial.user_reference(app.owner), "federated": False},
    }
    return paging.answer(request, [owner])


ROUTES = [Route("/apps/{app}/collaborators", index, methods=["GET"])]
