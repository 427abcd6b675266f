"""Puts the parts of control together; nothing is started yet."""

from paas.fleet.machines import Machines
from paas.node.client import Node
from paas.platform.platform import Platform
from paas.routes.client import Router
from paas.routes.publish import Routes
from paas.settings import Settings
from paas.store.sql.database import Database


def compose(settings: Settings, database: Database) -> Platform:
    node = Node(settings.node_socket)
    machines = Machines(node)
    router = Router(settings.router_socket)
    routes = Routes(settings, database, machines, router)
    return Platform(settings, database, node, machines, router, routes)
