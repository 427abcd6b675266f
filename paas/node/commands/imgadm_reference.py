"""Writes docs/imgadm.md: every command and option of SmartOS's imgadm(8) beside ours.

    python -m paas.node.commands.imgadm_reference > docs/imgadm.md

A test holds the page to what this gives.
"""

from paas.node.commands import imgadm_manual
from paas.node.commands.reference import command_rows, option_rows, table

_HEAD = """\
# imgadm, beside SmartOS's

Made by `python -m paas.node.commands.imgadm_reference` from the tables that the command works by:
change those.

*same*: as imgadm(8) of SmartOS has it. *narrower*: less, and why. *absent*: not built; what asks
for it is **refused by name**.

Data and what was done go to standard output, errors to standard error as
`imgadm <command>: error (<Code>): <message>`. Exit status: 0, 1 for an error, 2 for wrong usage, 3
for an image that is not installed.

## An image's file

A tar of the machine's userland (ids as the machine sees them, `user.*` attributes, no devices and
no sockets), plain or by gzip, bzip2 or xz. Of an incremental image (`-i`) it holds what differs
from its origin; what is no more is an empty entry `.wh.<name>`, as in OCI's layers. So an image
comes from and goes to any pool, but SmartOS's own (ZFS streams) are refused.

It is read by a process that is shut into the new image's tree, checked for size and SHA-1 against
the manifest, and is an image only then. A download that was cut goes on where it ended; what a
killed node left is undone when it starts.

## Serving images

`imgapi_listen = "127.0.0.1:8082"` in `/etc/smartplatform/smartplatform.toml` serves IMGAPI: images
that were published there. Everybody who reaches the address can read them. Writing needs the token
in `/var/lib/<installation>/imgapi/token`, as `IMGADM_TOKEN` of `imgadm publish` and
`imgadm create -p`. There is no TLS: put a proxy before it, or use `ssh -L`.

```sh
vmadm stop UUID
IMGADM_TOKEN=... imgadm create -c gzip -p http://127.0.0.1:8082 UUID name=mine version=1.0.0
imgadm sources -a http://127.0.0.1:8082      # on another node
imgadm import IMAGE
```

An image keeps the stack and the runtime that its machine's image names: the other node must have
those of the same uuid, which it has when both are of the same distribution and platform version.
"""


def page() -> str:
    """The whole text."""
    everywhere = (*imgadm_manual.BEFORE, *imgadm_manual.EVERYWHERE)
    lines = [
        _HEAD,
        "## Commands\n",
        *table(("command", "does", "SmartOS's", "why"), command_rows(imgadm_manual.COMMANDS)),
        "",
        "## Options\n",
        *table(
            ("command", "option", "means", "SmartOS's", "why"),
            option_rows(everywhere, imgadm_manual.COMMANDS),
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
