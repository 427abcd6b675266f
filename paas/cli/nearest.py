"""`Did you mean …?`"""

from collections.abc import Collection, Iterable

LIKE, VERY_LIKE = 0.6, 0.85


def did_you_mean(
    typed: str, known: Iterable[str], prefix: str = "", careful: Collection[str] = ()
) -> str:
    """A line that names the closest known word, or nothing.

    What ends or deletes something (`careful`) is named only where hardly anything else can be
    meant: who follows a hint should lose nothing by it.
    """
    from difflib import get_close_matches

    words = [word for word in known if word[0] != "-"]
    for close in get_close_matches(typed, words, n=5, cutoff=LIKE):
        if close not in careful or get_close_matches(typed, [close], cutoff=VERY_LIKE):
            return f"Did you mean `{prefix}{close}`?\n"
    return ""
