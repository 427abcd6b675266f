"""Databases and other services that an app connects to at its start."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, Evidence, Rule

_SERVICES = {
    "5432": ("PostgreSQL", "DATABASE_URL"),
    "27017": ("MongoDB", "MONGODB_URI"),
    "6379": ("Redis", "REDIS_URL"),
    "3306": ("MySQL", "DATABASE_URL"),
    "5672": ("RabbitMQ", "AMQP_URL"),
    "9200": ("Elasticsearch", "ELASTICSEARCH_URL"),
    "11211": ("Memcached", "MEMCACHED_URL"),
    "1433": ("SQL Server", "DATABASE_URL"),
    "9092": ("Kafka", "KAFKA_BROKERS"),
}
_LOCAL = r"(?:127\.0\.0\.1|localhost|\[?::1\]?|0\.0\.0\.0)"


def _local(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    port = next((text for text in match.groupdict().values() if text), "")
    if port not in _SERVICES:
        return None
    service, usual = _SERVICES[port]
    endings = "|".join((usual, usual.partition("_")[0], service.upper()))
    path, number, text = facts.line_with(
        evidence, rf"process\.env\.\w*(?:{endings})\w*|{_LOCAL}:{port}"
    )
    found = re.search(r"process\.env\.([A-Z]\w*)", text)
    where = f" ({path}, line {number})" if path else ""
    return {"name": service, "port": port, "variable": found[1] if found else usual, "where": where}


RULES = (
    Rule(
        "database_on_localhost",
        ANY,
        rf"ECONNREFUSED (?:{_LOCAL}|(?:\d+\.){{3}}\d+|::1):(?P<name>\d+)"
        rf"|[Cc]an't reach database server at `?{_LOCAL}`?:`?(?P<prisma>\d+)",
        "the app looks for {name} on its own machine, at port {port}, where there is none{where}",
        "paas config:set {variable}=<address of your {name}>",
        _local,
    ),
    Rule(
        "database_unreachable",
        ANY,
        r"[Cc]an't reach database server at `?(?P<prisma>[\w.:-]+)"
        r"|connect ECONNREFUSED (?P<name>[\w.:\[\]-]+)"
        r"|MongooseServerSelectionError: (?P<mongo>[^\n]{1,120})",
        "nothing answers at {name}, which the app connects to at its start",
        "Set the address of the service with paas config:set.",
        is_general=True,
    ),
    Rule(
        "host_unknown",
        ANY,
        r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<name>[\w.-]+)"
        r"|querySrv ENOTFOUND (?P<srv>[\w.-]+)",
        "there is no host {name}, which the app connects to",
        "Correct its address with paas config:set: names of docker-compose (db, redis, mongo) mean "
        "nothing here.",
    ),
    Rule(
        "database_login",
        ANY,
        r"password authentication failed for user \"(?P<name>[^\"\n]+)\""
        r"|Access denied for user '(?P<mysql>[^'\n]+)'|MongoServerError: (?P<mongo>bad auth)"
        r"|WRONGPASS (?P<redis>invalid username)|ReplyError: (?P<noauth>NOAUTH) Authentication"
        r"|SASL: (?P<scram>SCRAM-SERVER-FIRST-MESSAGE): client password must be a string",
        "the database does not let the app in ({name})",
        "Correct user and password in its address: paas config:set DATABASE_URL=<address>",
    ),
    Rule(
        "database_tls",
        ANY,
        r"no pg_hba\.conf entry for host [^\n]*(?P<name>no encryption|SSL off)"
        r"|The server (?P<other>does not support SSL) connections"
        r"|error: (?P<third>SSL/TLS required)",
        "the database and the app do not agree on encryption ({name})",
        "Say it in the address: paas config:set DATABASE_URL='<address>?sslmode=require', or "
        "sslmode=disable where it has none.",
    ),
    Rule(
        "table_missing",
        ANY,
        r"relation \"(?P<name>[^\"\n]{1,80})\" does not exist|no such table: (?P<sqlite>\S{1,80})"
        r"|ER_NO_SUCH_TABLE[^\n]*'(?P<mysql>[^'\n]{1,80})'"
        r"|The table `(?P<prisma>[^`\n]{1,80})` does not exist in the current database",
        "the database has no table {name}: its migrations were not run",
        "Let the release run them: "
        "echo 'release: <your migration, e.g. npx prisma migrate deploy>' >> Procfile && "
        "git add Procfile && git commit -m 'Migrate at release'",
    ),
)
