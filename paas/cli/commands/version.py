"""`paas version`."""

import platform

from paas.cli.call import Call
from paas.cli.command import JSON, command
from paas.cli.output import print_json, print_line


@command("Prints the version.", options=[JSON], examples=["paas version"])
def version(call: Call) -> None:
    from importlib.metadata import version as installed

    number = installed("smartplatform")
    system = f"{platform.system().lower()}-{platform.machine()}"
    if call.json:
        print_json({"version": number, "system": system, "python": platform.python_version()})
    else:
        print_line(f"paas/{number} {system} python-{platform.python_version()}")
