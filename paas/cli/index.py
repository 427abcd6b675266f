"""The commands: name, where the function is, one line of help. Static, so that finding is fast."""

from importlib import import_module
from typing import NamedTuple, cast

from paas.cli.command import Command
from paas.errors import UserError


class Entry(NamedTuple):
    group: str
    place: str
    """`module:function` below paas.cli.commands."""
    help: str


APPS, RUN, SHIP, ACCESS, HOST = "Apps", "Running", "Shipping", "Access", "This host"

COMMANDS: dict[str, Entry] = {
    "create": Entry(APPS, "apps:create", "create an app, and the git remote to push it to"),
    "apps": Entry(APPS, "apps:apps", "list your apps"),
    "info": Entry(APPS, "apps:info", "show an app's URL, remote, processes and size"),
    "apps:set": Entry(APPS, "apps:set_app", "say which folder of the repository an app is"),
    "open": Entry(APPS, "apps:open_app", "open an app in the browser, or print its URL"),
    "destroy": Entry(APPS, "apps:destroy", "delete an app with all that belongs to it"),
    "config": Entry(APPS, "config:config", "show an app's config vars"),
    "config:get": Entry(APPS, "config:get", "print the value of one config var"),
    "config:set": Entry(APPS, "config:set_vars", "set config vars and restart"),
    "config:unset": Entry(APPS, "config:unset", "remove config vars and restart"),
    "domains": Entry(APPS, "domains:domains", "list an app's domains"),
    "domains:add": Entry(APPS, "domains:add", "serve an app at a domain of yours"),
    "domains:remove": Entry(APPS, "domains:remove", "stop serving an app at a domain"),
    "certs": Entry(APPS, "certs:certs", "list the certificates that you brought for an app"),
    "certs:add": Entry(APPS, "certs:add", "bring a certificate for an app's domains"),
    "certs:update": Entry(APPS, "certs:update", "put a newer certificate in the place of one"),
    "certs:remove": Entry(APPS, "certs:remove", "remove a certificate that you brought"),
    "certs:info": Entry(APPS, "certs:info", "show a certificate that you brought"),
    "certs:root": Entry(APPS, "certs:root", "print the root of the installation's own authority"),
    "routing": Entry(APPS, "routing:routing", "show an app's routing settings"),
    "routing:set": Entry(APPS, "routing:set_settings", "limits, timeouts, sticky sessions, https"),
    "routing:unset": Entry(APPS, "routing:unset", "give routing settings their defaults again"),
    "maintenance": Entry(APPS, "maintenance:maintenance", "say whether maintenance mode is on"),
    "maintenance:on": Entry(APPS, "maintenance:on", "answer all requests with a maintenance page"),
    "maintenance:off": Entry(APPS, "maintenance:off", "serve the app again"),
    "ps": Entry(RUN, "ps:ps", "list an app's instances"),
    "ps:scale": Entry(RUN, "ps:scale", "show or change how many instances run"),
    "ps:restart": Entry(RUN, "ps:restart", "restart instances"),
    "ps:stop": Entry(RUN, "ps:stop", "stop instances and runs"),
    "ps:copy": Entry(RUN, "run:copy", "copy a file out of an instance"),
    "run": Entry(RUN, "run:run", "run a command in a machine of its own"),
    "exec": Entry(RUN, "run:execute", "run a command in an instance, or a shell"),
    "forward": Entry(RUN, "run:forward", "reach an instance's port from here"),
    "drains": Entry(RUN, "drains:drains", "list where an app's log is sent to"),
    "drains:add": Entry(RUN, "drains:add", "send an app's log elsewhere"),
    "drains:remove": Entry(RUN, "drains:remove", "send it there no more"),
    "cron": Entry(RUN, "cron:cron", "list commands that are run at set times"),
    "cron:add": Entry(RUN, "cron:add", "run a command at set times"),
    "cron:info": Entry(RUN, "cron:info", "show a cron with its last results"),
    "cron:run": Entry(RUN, "cron:run", "run a cron's command now"),
    "cron:pause": Entry(RUN, "cron:pause", "let a cron wait"),
    "cron:resume": Entry(RUN, "cron:resume", "let a cron go on"),
    "cron:remove": Entry(RUN, "cron:remove", "remove a cron"),
    "logs": Entry(RUN, "logs:logs", "show an app's log, or follow it with -t"),
    "deploys": Entry(SHIP, "builds:deploys", "list the deploys that run or wait"),
    "deploy": Entry(SHIP, "deploy:deploy", "deploy a folder, with or without git"),
    "releases": Entry(SHIP, "releases:releases", "list an app's releases"),
    "releases:info": Entry(SHIP, "releases:info", "show one release with its config vars"),
    "rollback": Entry(SHIP, "releases:rollback", "go back to an earlier release"),
    "builds": Entry(SHIP, "builds:builds", "list an app's builds"),
    "builds:create": Entry(SHIP, "builds:create", "build and deploy the last pushed commit again"),
    "builds:info": Entry(SHIP, "builds:info", "show one build"),
    "builds:cancel": Entry(SHIP, "builds:cancel", "cancel a build that runs or waits"),
    "builds:output": Entry(SHIP, "builds:output", "print the log of a build"),
    "buildpacks": Entry(SHIP, "buildpacks:buildpacks", "list the buildpacks that build an app"),
    "buildpacks:add": Entry(SHIP, "buildpacks:add", "add a buildpack, by its address or folder"),
    "buildpacks:set": Entry(SHIP, "buildpacks:set_buildpack", "replace one buildpack by another"),
    "buildpacks:remove": Entry(SHIP, "buildpacks:remove", "remove a buildpack"),
    "buildpacks:clear": Entry(SHIP, "buildpacks:clear", "leave the app to the platform's own"),
    "pipelines": Entry(SHIP, "pipelines:pipelines", "list your pipelines"),
    "pipelines:create": Entry(SHIP, "pipelines:create", "make a pipeline with an app in it"),
    "pipelines:info": Entry(SHIP, "pipelines:info", "show the apps of a pipeline"),
    "pipelines:add": Entry(SHIP, "pipelines:add", "put an app into a pipeline"),
    "pipelines:update": Entry(SHIP, "pipelines:update", "move an app to another stage"),
    "pipelines:remove": Entry(SHIP, "pipelines:remove", "take an app out of its pipeline"),
    "pipelines:promote": Entry(SHIP, "pipelines:promote", "release an app's image in the next"),
    "pipelines:diff": Entry(SHIP, "pipelines:diff", "list the commits that promoting brings"),
    "pipelines:rename": Entry(SHIP, "pipelines:rename", "give a pipeline another name"),
    "pipelines:destroy": Entry(SHIP, "pipelines:destroy", "delete a pipeline; its apps stay"),
    "git:remote": Entry(SHIP, "remote:remote", "add the git remote of an app to this repository"),
    "git:connect": Entry(SHIP, "connection:connect", "deploy what is pushed to GitHub and others"),
    "git:connection": Entry(SHIP, "connection:connection", "show where an app is deployed from"),
    "git:deploy": Entry(SHIP, "connection:deploy", "deploy the connected branch as it is now"),
    "git:disconnect": Entry(SHIP, "connection:disconnect", "deploy from there no more"),
    "git:credentials": Entry(SHIP, "credentials:credentials", "answer git's question for a token"),
    "login": Entry(ACCESS, "auth:login", "log in to a platform"),
    "logout": Entry(ACCESS, "auth:logout", "forget the token of a platform"),
    "whoami": Entry(ACCESS, "auth:whoami", "show who you are, and on which platform"),
    "auth:password": Entry(ACCESS, "auth:password", "set or change your password"),
    "auth:code": Entry(ACCESS, "auth:code", "print a single-use code for `paas login`"),
    "auth:token": Entry(ACCESS, "auth:token", "make a token for CI and print it"),
    "auth:tokens": Entry(ACCESS, "auth:tokens", "list tokens"),
    "auth:tokens:rotate": Entry(ACCESS, "auth:rotate", "give a token a new secret"),
    "auth:tokens:revoke": Entry(ACCESS, "auth:revoke", "make a token invalid"),
    "keys": Entry(ACCESS, "keys:keys", "list the SSH keys with which git pushes"),
    "keys:add": Entry(ACCESS, "keys:add", "bring an SSH key, for git over SSH"),
    "keys:remove": Entry(ACCESS, "keys:remove", "remove an SSH key"),
    "keys:clear": Entry(ACCESS, "keys:clear", "remove all SSH keys"),
    "apps:transfer": Entry(ACCESS, "transfers:transfer", "hand an app to another account"),
    "apps:transfers": Entry(ACCESS, "transfers:transfers", "list apps that are handed over"),
    "apps:transfers:accept": Entry(ACCESS, "transfers:accept", "take an app that you are handed"),
    "apps:transfers:decline": Entry(ACCESS, "transfers:decline", "decline one"),
    "apps:transfers:cancel": Entry(ACCESS, "transfers:cancel", "keep an app that you hand over"),
    "access": Entry(ACCESS, "access:access", "list who may work on an app"),
    "access:add": Entry(ACCESS, "access:add", "let somebody work on an app"),
    "access:update": Entry(ACCESS, "access:update", "change what a collaborator may do"),
    "access:remove": Entry(ACCESS, "access:remove", "let somebody work on an app no more"),
    "accounts": Entry(HOST, "accounts:accounts", "list the platform's accounts"),
    "accounts:add": Entry(HOST, "accounts:add", "make an account, and its invitation"),
    "accounts:invite": Entry(HOST, "accounts:invite", "print another code for an account"),
    "accounts:set": Entry(HOST, "accounts:set_account", "change an account's name or role"),
    "accounts:lock": Entry(HOST, "accounts:lock", "end all that an account logs in with"),
    "accounts:remove": Entry(HOST, "accounts:remove", "remove an account"),
    "audit": Entry(HOST, "audit:audit", "show who changed what, from where"),
    "up": Entry(HOST, "host:up", "start the platform on this host"),
    "down": Entry(HOST, "host:down", "stop the platform and its machines; data stays"),
    "doctor": Entry(HOST, "host:doctor", "check this host: what is missing and how to get it"),
    "install": Entry(
        HOST, "host:install", "start the platform at boot, router on ports 80 and 443"
    ),
    "uninstall": Entry(HOST, "host:uninstall", "remove the platform from this host, with all data"),
    "database:restore": Entry(
        HOST, "host:restore_database", "put a backup in the place of a damaged database"
    ),
    "node": Entry(HOST, "node:node", "list the machines of this host"),
    "completion": Entry(HOST, "completion:completion", "print the completion script of your shell"),
    "version": Entry(HOST, "version:version", "print the version"),
    "help": Entry(HOST, "help:help_command", "show this list, or the help of a command"),
}

HIDDEN: dict[str, Entry] = {
    "completion:words": Entry("", "completion:words", "candidates for the shell's completion"),
}

ALIASES = {
    "ps:exec": "exec",
    "ps:forward": "forward",
    "run:inside": "exec",
    "apps:create": "create",
    "apps:info": "info",
    "apps:open": "open",
    "apps:destroy": "destroy",
    "apps:list": "apps",
    "accounts:list": "accounts",
    "config:add": "config:set",
    "config:remove": "config:unset",
    "dyno:scale": "ps:scale",
    "scale": "ps:scale",
    "restart": "ps:restart",
    "stop": "ps:stop",
    "promote": "pipelines:promote",
    "releases:rollback": "rollback",
    "auth:login": "login",
    "auth:logout": "logout",
    "auth:whoami": "whoami",
    "--version": "version",
    "-v": "version",
    "--help": "help",
    "-h": "help",
}


ENDS = frozenset(
    {
        "access:remove",
        "accounts:lock",
        "accounts:remove",
        "builds:cancel",
        "buildpacks:clear",
        "buildpacks:remove",
        "certs:remove",
        "config:unset",
        "cron:pause",
        "cron:remove",
        "destroy",
        "domains:remove",
        "drains:remove",
        "git:disconnect",
        "down",
        "keys:clear",
        "keys:remove",
        "logout",
        "maintenance:on",
        "pipelines:destroy",
        "pipelines:promote",
        "pipelines:remove",
        "ps:stop",
        "rollback",
        "apps:transfer",
        "auth:tokens:revoke",
        "uninstall",
    }
)
"""What ends or deletes something."""

OTHER_WORDS = {
    "delete": "`paas destroy` deletes an app, `paas domains:remove` a domain.",
    "schedule": "A command at set times: paas cron:add '0 4 * * *' 'node job.js'",
    "env": "The environment of an app: paas config",
    "list": "Your apps: paas apps",
    "push": "A push deploys: git push paas main; without git: paas deploy",
    "remove": "`paas destroy` deletes an app, `paas domains:remove` a domain.",
    "rm": "`paas destroy` deletes an app, `paas domains:remove` a domain.",
    "console": "A shell in an instance: paas exec web.1; in a machine of its own: paas run bash",
    "enter": "A shell in an instance: paas exec web.1",
    "ssh": "A shell in an instance: paas exec web.1; in a machine of its own: paas run bash",
    "status": "What runs of an app: paas ps",
    "tokens": "Tokens: paas auth:tokens",
}
"""What people type who come from elsewhere."""


def find(words: list[str]) -> tuple[str, list[str]]:
    """The name of the typed command and the words that are left: `ps scale web=2` is `ps:scale`.

    Raises UserError for a command that does not exist.
    """
    if not words:
        return "help", []
    for count in range(min(3, len(words)), 0, -1):
        name = ":".join(words[:count])
        name = ALIASES.get(name, name)
        if name in COMMANDS or name in HIDDEN:
            return name, words[count:]
    raise unknown(words[0])


def unknown(typed: str) -> UserError:
    from paas.cli.nearest import did_you_mean

    careful = ENDS | {alias for alias, name in ALIASES.items() if name in ENDS}
    hint = did_you_mean(typed, [*COMMANDS, *ALIASES], "paas ", careful)
    if typed in OTHER_WORDS:
        hint = OTHER_WORDS[typed] + "\n"
    elif typed.startswith("-"):
        hint = "Options come behind the command: paas ps -a hello\n"
    shown = typed.encode("unicode_escape").decode() if not typed.isprintable() else typed
    return UserError(
        "usage",
        f"{shown} is not a paas command.",
        f"{hint}Run `paas help` for the list of commands.",
    )


def load(name: str) -> Command:
    entry = COMMANDS.get(name) or HIDDEN[name]
    module, function = entry.place.split(":")
    return cast(Command, getattr(import_module(f"paas.cli.commands.{module}"), function))
