"""What the API is handed: what it reads from, and by noun what it can have done."""

from dataclasses import dataclass

from gitserver import GitServer
from paas.operations.apps import Apps
from paas.operations.buildpacks import Buildpacks
from paas.operations.builds import Builds
from paas.operations.certificates import Certificates
from paas.operations.crons import Crons
from paas.operations.domains import Domains
from paas.operations.drains import Drains
from paas.operations.dynos import Dynos
from paas.operations.formation import Formation
from paas.operations.git_connections import GitConnections
from paas.operations.logs import Logs
from paas.operations.objects import Objects
from paas.operations.pipelines import Pipelines
from paas.operations.releases import Releases
from paas.operations.routing import Routing
from paas.operations.runs import Runs
from paas.operations.sources import Sources
from paas.platform.platform import Platform
from paas.settings import Settings
from paas.store.sql.database import Database


@dataclass(frozen=True)
class Served:
    settings: Settings
    database: Database
    apps: Apps
    buildpacks: Buildpacks
    builds: Builds
    certificates: Certificates
    crons: Crons
    domains: Domains
    drains: Drains
    dynos: Dynos
    formation: Formation
    git_connections: GitConnections
    logs: Logs
    objects: Objects
    pipelines: Pipelines
    releases: Releases
    routing: Routing
    runs: Runs
    sources: Sources


def served(platform: Platform, git_server: GitServer) -> Served:
    return Served(
        settings=platform.settings,
        database=platform.database,
        apps=Apps(platform),
        buildpacks=Buildpacks(platform),
        builds=Builds(platform, git_server),
        certificates=Certificates(platform),
        crons=Crons(platform),
        domains=Domains(platform),
        drains=Drains(platform),
        dynos=Dynos(platform),
        formation=Formation(platform),
        git_connections=GitConnections(platform, git_server),
        logs=Logs(platform),
        objects=Objects(platform),
        pipelines=Pipelines(platform),
        releases=Releases(platform),
        routing=Routing(platform),
        runs=Runs(platform),
        sources=Sources(platform),
    )
