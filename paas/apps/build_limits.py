"""How much memory and time a build has: the operator's default, or what the app asks for by config
vars, within the operator's bounds. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from paas.errors import UserError
from paas.settings import Settings

MEMORY_VAR = "BUILD_MEMORY_MIB"
TIME_VAR = "BUILD_TIMEOUT_S"
_MEMORY_LEAST_MIB = 256
TIME_LEAST_S = 10


@dataclass(frozen=True)
class Limits:
    """`time_s` is each step's. A maximum is never below what builds have by default."""

    memory_mib: int
    time_s: float
    memory_max_mib: int
    time_max_s: float


def of_platform(settings: Settings) -> Limits:
    """What the operator has set; a bound below the default is the default."""
    memory_mib, time_s = settings.build_memory_mib, settings.build_timeout_s
    return Limits(
        memory_mib,
        time_s,
        max(memory_mib, settings.build_memory_max_mib),
        max(time_s, settings.build_timeout_max_s),
    )


def limits(config: Mapping[str, str], default: Limits) -> Limits:
    """Of one build. What is over a bound (the operator may have lowered it) is the bound."""
    memory_mib = _asked(config, MEMORY_VAR) or default.memory_mib
    time_s = _asked(config, TIME_VAR) or default.time_s
    return Limits(
        max(_MEMORY_LEAST_MIB, min(memory_mib, default.memory_max_mib)),
        min(time_s, default.time_max_s),
        default.memory_max_mib,
        default.time_max_s,
    )


def check(changes: Mapping[str, str | None], default: Limits) -> None:
    """Raises UserError for a value that would have no effect."""
    bounds = {
        MEMORY_VAR: (_MEMORY_LEAST_MIB, default.memory_max_mib, "MiB"),
        TIME_VAR: (TIME_LEAST_S, int(default.time_max_s), "seconds"),
    }
    for name, (least, most, unit) in bounds.items():
        value = changes.get(name)
        if value is None:
            continue
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise UserError(
                "invalid_params",
                f"{name} is a whole number of {unit} from {least} to {most}.",
                f"For example: paas config:set {name}={most}",
            )


def _asked(config: Mapping[str, str], name: str) -> int | None:
    value = config.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) and int(value) else None
