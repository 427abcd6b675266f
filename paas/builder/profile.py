"""Scripts of the app's that an instance sources before its command, as Heroku's dynos do.

`.profile.d/*.sh` is what buildpacks leave, `.profile` the app's own:
https://devcenter.heroku.com/articles/dynos#the-profile-file
"""

from collections.abc import Sequence

from buildpacks.tree import Tree

_FOLDER, _OWN = ".profile.d", ".profile"
_SOURCE = """
export HOME="$PWD"
for file in .profile.d/*.sh; do
  [ ! -r "$file" ] || . "./$file"
done
[ ! -r .profile ] || . ./.profile
exec "$@"
"""


def is_in(tree: Tree) -> bool:
    scripts = any(name.endswith(".sh") for name in tree.names(_FOLDER))
    return scripts or _OWN in tree.names()


def sourcing(argv: Sequence[str]) -> tuple[str, ...]:
    """The command as it is run where there are such scripts: in their place, as one process."""
    return ("bash", "-c", _SOURCE, "bash", *argv)
