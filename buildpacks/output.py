"""Lines of a push as Heroku, Dokku and Flynn print them; each function returns them with newlines.

-----> Installing dependencies          step
       added 67 packages in 1s          detail
 !     No lock file                     problem
=====> Application deployed             result
"""


def step(title: str) -> str:
    return f"-----> {title}\n"


def result(title: str) -> str:
    return f"=====> {title}\n"


def detail(text: str) -> str:
    return _lines("       ", text)


def problem(text: str) -> str:
    return _lines(" !     ", text)


def _lines(prefix: str, text: str) -> str:
    return "".join(f"{prefix}{line}".rstrip() + "\n" for line in text.splitlines() or [""])
