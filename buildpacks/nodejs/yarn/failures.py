"""What Yarn classic's output means when an installation has failed."""

from buildpacks.nodejs.rules import GIT_UNREACHABLE, INSTALL, PRIVATE_GIT, Rule, unpublished

RULES = (
    Rule(
        "yarn_lockfile_out_of_sync",
        INSTALL,
        r"Your lockfile needs to be updated",
        "yarn.lock does not agree with package.json",
        "yarn install && git add yarn.lock && git commit -m 'Update the lock file'",
    ),
    Rule(
        "yarn_bad_version",
        INSTALL,
        r"Couldn't find any versions for \"(?P<name>[^\"\n]+)\"",
        "the registry has no such version of {name}",
        "Correct it in package.json, then: yarn install && git add package.json yarn.lock && "
        "git commit -m 'Correct a version'",
    ),
    unpublished("yarn_bad_version", "yarn", "berry"),
    Rule(
        "yarn_package_not_found",
        INSTALL,
        r"Couldn't find package \"(?P<name>[^\"\n]+)\"|(?P<url>(?!\S*/-/)\S+): Not found\b"
        r"|error [^\n]*\"?(?P<other>https?://(?!\S*/-/)\S+?)\"?: Request failed \\?\"404",
        "the registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "yarn_unauthorized",
        INSTALL,
        r"Request failed \\?\"40[13]\b|error [^\n]*\b(?:Unauthorized|authentication token)",
        "the registry refuses to hand out a dependency",
        "Put the token into a config var and name it in .npmrc: "
        "//<registry>/:_authToken=${{NPM_TOKEN}}",
    ),
    Rule(
        "yarn_integrity",
        INSTALL,
        r"Integrity check failed for \"(?P<name>[^\"\n]+)\"",
        "{name} is not what the lock file says (checksum)",
        "Look at what has changed, then: yarn cache clean {name} && "
        "yarn install --force --update-checksums && git add yarn.lock && "
        "git commit -m 'Update checksums'",
    ),
    Rule(
        "yarn_bad_engine",
        INSTALL,
        r"error (?P<name>\S+): The engine \"node\" is incompatible",
        "{name} does not support this version of Node.js",
        "Name one that it supports in engines.node of package.json.",
    ),
    Rule(
        "install_script_failed",
        INSTALL,
        r"error /app/node_modules/(?P<name>(?:@[\w.-]+/)?[\w.-]+): Command failed\.\s+"
        r"Exit code: \d+\s+Command: (?P<script>[^\n]{1,200})",
        "the install script of {name} failed: {script}",
        "See its own words above; a newer release may do without: yarn upgrade {name} --latest && "
        "git add package.json yarn.lock && git commit -m 'Update {name}'",
        lambda _evidence, match: {"name": match["name"], "script": match["script"].strip()},
        is_general=True,
    ),
    PRIVATE_GIT,
    GIT_UNREACHABLE,
    Rule(
        "econnreset",
        INSTALL,
        r"error An unexpected error occurred: \"[^\n]*"
        r"(?:ECONNRESET|ETIMEDOUT|ESOCKETTIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|\"50\d)",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
)
