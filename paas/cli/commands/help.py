"""`paas help`, and what `--help` prints for one command."""

from paas.cli import index
from paas.cli.call import Call
from paas.cli.command import Argument, Option, Spec, command
from paas.cli.output import coloured, print_columns

VARIABLES = {
    "PAAS_APP": "the app, where -a is not given",
    "PAAS_API": "address of the platform, instead of the one you logged in to",
    "PAAS_TOKEN": "token for it, for CI",
    "PAAS_INSTALLATION": "an installation on this host that is not called smartplatform",
    "NO_COLOR": "set it to have no colours",
}
EXITS = {
    0: "done",
    1: "failed",
    2: "wrong usage",
    3: "not found (an app, a release, a domain, …)",
    4: "not logged in, or not allowed",
    5: "the platform does not run or can't be reached",
    130: "interrupted (Ctrl-C)",
}
"""What the exit codes mean: those of `paas.errors` and of `paas.cli.main`."""


@command(
    "Shows the list of commands, or the help of one.",
    arguments=[Argument("COMMAND", "a command: ps:scale or ps scale", least=0, most=3)],
    examples=["paas help", "paas help ps:scale"],
)
def help_command(call: Call) -> int:
    if call.arguments:
        name, rest = index.find(call.arguments)
        if rest:
            raise index.unknown(" ".join(call.arguments))
        return print_help(name, index.load(name).spec)
    return _print_list()


def _print_list() -> int:
    print("git push to a Node.js cloud on machines you own.\n")
    print("USAGE\n  paas COMMAND [options]     paas COMMAND --help     (`ps scale` is `ps:scale`)")
    for group in dict.fromkeys(entry.group for entry in index.COMMANDS.values()):
        _section(group)
        members = index.COMMANDS.items()
        print_columns([["  " + n, e.help] for n, e in members if e.group == group])
    _section("Variables")
    print_columns([["  " + name, text] for name, text in VARIABLES.items()])
    _section("Exit codes")
    print_columns([[f"  {code}", text] for code, text in EXITS.items()])
    return 0


def print_help(name: str, spec: Spec) -> int:
    print(spec.description)
    _section("Usage")
    print("  " + " ".join(["paas", name, *[_shape(a) for a in spec.arguments], "[options]"]))
    if spec.arguments:
        _section("Arguments")
        print_columns([[f"  {argument.name}", argument.help] for argument in spec.arguments])
    _section("Options")
    rows = [[_written(option), option.help] for option in spec.options]
    print_columns([*rows, ["  -h, --help", "show this"]])
    aliases = [alias for alias, real in index.ALIASES.items() if real == name and alias[0] != "-"]
    if aliases:
        _section("Also as")
        print("  " + ", ".join(f"paas {alias}" for alias in aliases))
    if spec.examples:
        _section("Examples")
        for example in spec.examples:
            print(f"  $ {example}")
    _section("Exit codes")
    print("  " + ", ".join(f"{code} {text.partition(' (')[0]}" for code, text in EXITS.items()))
    return 0


def _section(title: str) -> None:
    print("\n" + coloured(title.upper(), "1"))


def _shape(argument: Argument) -> str:
    many = "…" if argument.most != 1 else ""
    return f"{argument.name}{many}" if argument.least else f"[{argument.name}{many}]"


def _written(option: Option) -> str:
    short = f"-{option.short}, " if option.short else "    "
    return f"  {short}--{option.name}{' ' + option.value if option.value else ''}"
