"""What npm's output means when an installation has failed."""

from buildpacks.nodejs.rules import INSTALL, PRIVATE_GIT, Rule

RULES = (
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"Missing: (?P<name>[@\w./~-]+)@ from lock file",
        "a dependency wants {name}, which the registry did not have when the lock file was made",
        "Which dependency it is says: node -p \"Object.entries(require('./package-lock.json')"
        ".packages).filter(([, p]) => '{name}' in {{...p.dependencies, ...p.optionalDependencies, "
        "...p.peerDependencies}}).map(([path, p]) => path + ' ' + p.version)\"\n"
        "Use a release of it that does without, then commit package.json and the lock file.",
    ),
    Rule(
        "npm_lockfile_out_of_sync",
        INSTALL,
        r"npm ci` can only install packages when your package\.json|Please update your lock file",
        "package-lock.json does not agree with package.json",
        "npm install && git add package-lock.json && git commit -m 'Update the lock file'",
    ),
    Rule(
        "npm_peer_dependency_conflict",
        INSTALL,
        r"\bERESOLVE\b",
        "npm can't find versions that satisfy all peer dependencies",
        "Update the packages named above, or: paas config:set NPM_CONFIG_LEGACY_PEER_DEPS=true",
    ),
    Rule(
        "npm_bad_version",
        INSTALL,
        r"\bETARGET\b[\s\S]*?No matching version found for (?P<name>\S+?)\.?\s",
        "the registry has no {name}",
        "Correct the version in package.json, then run npm install and commit the lock file.",
    ),
    Rule(
        "npm_integrity",
        INSTALL,
        r"\bEINTEGRITY\b",
        "a dependency is not what the lock file says (checksum)",
        "Remove it from package-lock.json, run npm install, and look at what has changed.",
    ),
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"\bE404\b[\s\S]*?'(?P<name>[^'\s]+)' is not in this registry",
        "the registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"\b(?:code )E404\b",
        "the registry does not have one of the dependencies",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "npm_unauthorized",
        INSTALL,
        r"\bcode E40[13]\b|\bENEEDAUTH\b",
        "the registry refuses to hand out a dependency",
        "Put the token into a config var and name it in .npmrc: "
        "//<registry>/:_authToken=${{NPM_TOKEN}}",
    ),
    Rule(
        "npm_bad_platform",
        INSTALL,
        r"\bEBADPLATFORM\b",
        "a dependency does not support Linux on this processor",
        "Move it to optionalDependencies, or replace it.",
    ),
    Rule(
        "npm_bad_engine",
        INSTALL,
        r"\bEBADENGINE\b[\s\S]*npm (?:error|ERR!)",
        "a dependency does not support this version of Node.js",
        "Name one that it supports in engines.node of package.json.",
    ),
    PRIVATE_GIT,
    Rule(
        "npm_git_dependency",
        INSTALL,
        r"npm (?:error|ERR!) code 128\b|\bspawn git\b|\bEALLOWGIT\b",
        "a dependency that comes from a git repository could not be fetched",
        "Publish it to a registry, or name a tarball.",
    ),
    Rule(
        "install_script_blocked",
        INSTALL,
        r"\bESTRICTALLOWSCRIPTS\b",
        "npm refuses to run the install scripts of a dependency",
        "npm approve-scripts, then commit package.json",
    ),
)
