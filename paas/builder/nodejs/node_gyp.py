"""npm's node-gyp as a command, for package managers that bring none of their own."""


def command(folder: str) -> str:
    """Shell that puts it into a folder."""
    program = "/opt/node/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js"
    return (
        f"printf '#!/bin/sh\\nexec node {program} \"$@\"\\n' > {folder}/node-gyp\n"
        f"chmod 755 {folder}/node-gyp\n"
    )
