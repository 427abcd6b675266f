"""Disk, memory and processes: what a build or an instance has used up."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import ANY, BUILD, START, Evidence, Rule


def _killed(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {"step": evidence.step} if evidence.exit_code == 137 else None


def _never_ended(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {"step": evidence.step} if evidence.exit_code is None else None


def _crashed(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """By signals that only machine code raises: illegal instruction, bus error, segmentation."""
    kinds = {132: "illegal instruction", 135: "bus error", 139: "segmentation fault"}
    kind = kinds.get(evidence.exit_code or 0)
    return {"kind": kind} if kind else None


RULES = (
    Rule(
        "out_of_disk",
        ANY,
        r"\bENOSPC\b(?!: System limit for number of file watchers)|No space left on device"
        r"|\bEDQUOT\b|Disk quota exceeded",
        "there is no disk space left for it",
        "See what takes the most: du -ah node_modules | sort -h | tail -n 20\n"
        "Install less, and clean up in the build script: npm pkg set "
        "scripts.heroku-cleanup='rm -rf .cache'",
    ),
    Rule(
        "file_watchers",
        ANY,
        r"ENOSPC: System limit for number of file watchers reached"
        r"|EMFILE: too many open files, watch",
        "it watches more files than the system lets it: watching is for development",
        "Let the script build once and end, and the start script run what was built: "
        "without --watch, -w, nodemon.",
    ),
    Rule(
        "too_many_open_files",
        ANY,
        r"\bEMFILE\b[^\n]*too many open files|\bENFILE\b",
        "it has more files open than a process may have",
        "Read them one after the other, or with a limit: graceful-fs, p-limit.",
    ),
    Rule(
        "node_out_of_memory",
        ANY,
        r"JavaScript heap out of memory"
        r"|FATAL ERROR: [^\n]*Allocation failed - process out of memory",
        "Node.js ran out of memory",
        "Give the script that needs it more, e.g. NODE_OPTIONS=--max-old-space-size=1536, "
        "or choose a larger package for the process.",
    ),
    Rule(
        "no_more_processes",
        ANY,
        r"pthread_create: Resource temporarily unavailable|spawn \S+ EAGAIN"
        r"|[Cc]annot fork|fork: (?:retry: )?Resource temporarily unavailable"
        r"|failed to spawn thread: Os \{ code: 11|Assertion `[^\n]*uv_thread_create",
        "it starts more processes and threads than it may have",
        "Start fewer at a time: workers, --maxWorkers, UV_THREADPOOL_SIZE, WEB_CONCURRENCY; "
        "and see that no script calls itself.",
    ),
    Rule(
        "build_out_of_memory",
        BUILD,
        "",
        "{step} was killed: it used more memory than a build has",
        "Lower what runs at a time, e.g. NODE_OPTIONS=--max-old-space-size=1536",
        _killed,
    ),
    Rule(
        "out_of_memory",
        START,
        "",
        "the app was killed: it used more memory than its package has",
        "Choose a larger package, or look for what takes the memory at start.",
        _killed,
    ),
    Rule(
        "build_timeout",
        BUILD,
        "",
        "{step} did not come to an end in the time that a build has",
        "Does a script wait for input, watch files or start a server?",
        _never_ended,
    ),
    Rule(
        "machine_code_crashed",
        ANY,
        "",
        "it crashed in machine code ({kind}), not in JavaScript: in a native module",
        "{install} a newer release of the native module that is loaded last, or the release before "
        "it; a binary that was made for another processor does this too.",
        _crashed,
    ),
)
