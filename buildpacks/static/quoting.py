"""Strings as nginx reads them."""


def quoted(text: str) -> str:
    """As one parameter. A dollar still begins a variable, where the directive knows variables."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Text in which a dollar is a dollar: nginx can't escape it, so a variable holds it."""
    return text.replace("$", "${dollar}")
