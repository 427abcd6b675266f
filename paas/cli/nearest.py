"""`Did you mean …?`"""

from collections.abc import Iterable


def did_you_mean(typed: str, known: Iterable[str], prefix: str = "") -> str:
    """A line that names the closest known word, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(typed, [word for word in known if word[0] != "-"], n=1, cutoff=0.6)
    return f"Did you mean `{prefix}{close[0]}`?\n" if close else ""
