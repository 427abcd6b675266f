"""Says what a build had when memory, time or processes were not enough, and how it gets more."""

from buildpacks.findings import Failure
from paas.apps.build_limits import MEMORY_VAR, TIME_LEAST_S, TIME_VAR, Limits
from paas.builder.zone import PROCESSES_MAX

OF_MEMORY = ("build_out_of_memory", "node_out_of_memory")
_HEAP_PERCENT = 75


def heap_mib(limits: Limits) -> int:
    """What Node.js may use of it for its heap: a build has other needs as well."""
    return limits.memory_mib * _HEAP_PERCENT // 100


def of_memory(id: str, step: str, limits: Limits, *, counted: bool) -> Failure:
    """`id` is node_out_of_memory where Node.js itself came to its heap's limit. `counted`: the
    kernel killed for memory; without that an exit code speaks, which a script can give by itself.
    """
    had = f"{limits.memory_mib} MiB of memory that this build has"
    if id == "node_out_of_memory":
        message = f"{step}: Node.js used up its heap, {heap_mib(limits)} MiB of the {had}"
        message += " (or what NODE_OPTIONS says)"
    else:
        why = "it used more" if counted else "perhaps it killed itself, perhaps it used more"
        id, message = "build_out_of_memory", f"{step} was killed: {why} than the {had}"
    more = min(2 * limits.memory_mib, limits.memory_max_mib)
    if more > limits.memory_mib:
        return Failure(
            id,
            message,
            f"Give it more: paas config:set {MEMORY_VAR}={more}\n"
            f"(at most {limits.memory_max_mib} here; it counts from the next build on)",
        )
    return Failure(
        id,
        message,
        "That is the most that is allowed here (the operator's build_memory_max_mib). "
        "Let it do less at a time: fewer workers, no source maps.",
    )


def of_time(step: str, limits: Limits) -> Failure:
    hint = "Does a script wait for input, watch files or start a server?"
    more = int(min(max(2 * limits.time_s, TIME_LEAST_S), limits.time_max_s))
    if more > limits.time_s:
        hint += (
            f"\nIf it only needs longer: paas config:set {TIME_VAR}={more}"
            f" (at most {limits.time_max_s:.0f} here)"
        )
    return Failure(
        "build_timeout", f"{step} did not come to an end within {limits.time_s:g} s", hint
    )


def of_processes(step: str) -> Failure:
    return Failure(
        "too_many_processes",
        f"{step} did not start, or left more processes than a build may have ({PROCESSES_MAX})",
        "Do its scripts start what they never end?",
    )
