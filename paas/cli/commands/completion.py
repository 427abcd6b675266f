"""Completion for bash, zsh and fish. The scripts ask `paas completion:words` at each tab."""

from collections.abc import Sequence

from paas.cli import index
from paas.cli.call import Call, usage
from paas.cli.command import Argument, command
from paas.errors import UserError

TIMEOUT_S = 1.0

BASH = r"""_paas() {
  local line="${COMP_LINE:0:COMP_POINT}" word candidate typed
  word="${line##* }"
  read -ra typed <<< "${line%"$word"}"
  COMPREPLY=()
  while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done \
    < <(paas completion:words -- "${typed[@]}" "$word" 2>/dev/null)
  # readline splits words at colons: give back only what follows the last one
  case "$word" in *:*) COMPREPLY=("${COMPREPLY[@]#"${word%:*}:"}") ;; esac
}
complete -o default -F _paas paas
"""
ZSH = r"""#compdef paas
_paas() {
  local -a candidates typed
  typed=("${(@)words[1,CURRENT-1]}" "${words[CURRENT]}")
  candidates=("${(@f)$(paas completion:words -- "${(@)typed}" 2>/dev/null)}")
  compadd -Q -- $candidates
}
if [ "$funcstack[1]" = "_paas" ]; then _paas "$@"; else compdef _paas paas; fi
"""
FISH = r"""function __paas_words
  paas completion:words -- (commandline -opc) (commandline -ct) 2>/dev/null
end
complete -c paas -f -a '(__paas_words)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@command(
    "Prints the completion script of your shell: commands, options and names of apps.",
    arguments=[Argument("SHELL", "bash, zsh or fish")],
    examples=[
        "paas completion bash > /etc/bash_completion.d/paas",
        "source <(paas completion zsh)      # in ~/.zshrc",
        "paas completion fish > ~/.config/fish/completions/paas.fish",
    ],
)
def completion(call: Call) -> None:
    if call.arguments[0] not in SCRIPTS:
        raise usage("completion", f"There is no completion for {call.arguments[0]!r}.")
    print(SCRIPTS[call.arguments[0]], end="")


@command(
    "Prints what can stand at the end of a command line, one a line. The shell's script calls it.",
    arguments=[Argument("WORD", "the words of the line, the last one unfinished", 0, 0)],
)
def words(call: Call) -> None:
    typed = call.arguments
    if typed[:1] and typed[0].rpartition("/")[2] == "paas":
        typed = typed[1:]
    before, last = typed[:-1], (typed[-1] if typed else "")
    for candidate in sorted(set(_candidates(call, before))):
        if candidate.startswith(last):
            print(candidate)


def _candidates(call: Call, before: Sequence[str]) -> list[str]:
    if not before:
        return list(index.COMMANDS)
    if before == ["help"]:
        return list(index.COMMANDS)
    if before == ["completion"]:
        return list(SCRIPTS)
    if before[-1] in ("-a", "--app"):
        return _apps(call)
    try:
        name, _ = index.find(list(before))
    except UserError:
        return []
    spec = index.load(name).spec
    options = [f"--{option.name}" for option in spec.options]
    takes_app = any(argument.name == "APP" for argument in spec.arguments)
    return options + (_apps(call) if takes_app else [])


def _apps(call: Call) -> list[str]:
    try:
        return [str(app["name"]) for app in call.client.get("/apps", timeout_s=TIMEOUT_S)]
    except UserError:
        return []
