"""The checks of `paas doctor`, and those among them that `paas up` asks first.

Each check is a function of the settings that returns a Finding, changes nothing and never raises.
"""

from collections.abc import Callable, Iterator

from paas.host.checks import ipv6, kernel, network, resources, software
from paas.host.finding import Finding, Problem, problem
from paas.settings import Settings

Check = Callable[[Settings], Finding]

FATAL: tuple[Check, ...] = (
    kernel.root,
    software.programs,
    software.users,
    software.checkout,
    kernel.user_namespaces,
    kernel.cgroups,
    kernel.loop_devices,
    kernel.btrfs,
    kernel.nftables,
    resources.router_port,
    resources.control_port,
    resources.ssh_port,
    resources.disk,
    network.subnet,
)
"""Without these the platform can't start. All together they take some milliseconds."""

OTHERS: tuple[Check, ...] = (
    kernel.kernel_version,
    software.versions,
    software.runc_holes,
    software.npm,
    resources.pool,
    resources.memory,
    resources.clock,
    network.forwarding,
    ipv6.ipv6,
    network.foreign_drop,
    network.resolvers,
    network.registry,
    network.egress,
)


def run(settings: Settings, only: str = "") -> Iterator[Finding]:
    """Each check's finding, as soon as it is there; `only` chooses by the beginning of a name."""
    for check in (*FATAL, *OTHERS):
        if check.__name__.replace("_", "-").startswith(only):
            yield _safely(check, settings)


def fatal(settings: Settings) -> list[Problem]:
    """What keeps the platform from starting on this host; empty when it can."""
    findings = [_safely(check, settings) for check in FATAL]
    return [finding for finding in findings if finding.level == "problem"]


def _safely(check: Check, settings: Settings) -> Finding:
    try:
        return check(settings)
    except Exception as error:  # a check that breaks must not hide the others
        name = check.__name__.replace("_", "-")
        text = f"the check itself failed: {type(error).__name__}: {error}"
        return problem(name, text, "Please report this.")
