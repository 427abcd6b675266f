"""What a tree is that no buildpack builds: said by name, so that nobody looks for a mistake."""

from collections.abc import Sequence

_SIGNS = {
    "Python": ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py"),
    "PHP": ("composer.json", "index.php", "artisan"),
    "Ruby": ("Gemfile", "config.ru", "Rakefile"),
    "Go": ("go.mod",),
    "Rust": ("Cargo.toml",),
    "Java or Kotlin": ("pom.xml", "build.gradle", "build.gradle.kts"),
    "Elixir": ("mix.exs",),
    ".NET": ("global.json", "Program.cs"),
}
_ENDINGS = {".py": "Python", ".php": "PHP", ".rb": "Ruby", ".go": "Go", ".csproj": ".NET"}
_ENDINGS |= {".sln": ".NET", ".java": "Java or Kotlin"}


def language(names: Sequence[str]) -> tuple[str, str] | None:
    """The language of a root folder with these names, and the file that tells it."""
    for found, signs in _SIGNS.items():
        for name in signs:
            if name in names:
                return found, name
    for name in names:
        for ending, found in _ENDINGS.items():
            if name.endswith(ending):
                return found, name
    return None
