"""The systemd unit of an installation, as text. Pure.

One service, the supervisor, which says when apps answer; until then `systemctl start` waits. What
it gives systemd to keep (its listening sockets) outlives it, and goes to the one started after it
was killed. `KillMode=process`: where cgroups are version 1, systemd's own
hierarchy still counts conmon and the zones to the service, and a restart must not touch them; their
limits are in cgroups of the node's. The supervisor stops its own processes.
"""

from pathlib import Path

from paas.settings import DEFAULT_INSTALLATION, Settings

PUBLIC_PORT = 80
PUBLIC_TLS_PORT = 443
STOP_TIMEOUT_S = 90
START_TIMEOUT_S = 360
"""For checking the host. Then the supervisor asks for more than it gives its processes, because it
says itself which of them is late."""


def unit_name(settings: Settings) -> str:
    """`paas.service`, or `paas-<installation>.service` for one with a name of its own."""
    own = settings.installation != DEFAULT_INSTALLATION
    return f"paas-{settings.installation}.service" if own else "paas.service"


def service(settings: Settings, program: Path) -> str:
    """`program` is the absolute path of `paas`. The router takes ports 80 and 443."""
    return f"""\
# Written by `paas install`; `paas uninstall` removes it.
[Unit]
Description=SmartPlatform ({settings.installation})
Wants=network-online.target
After=network-online.target nss-lookup.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
FileDescriptorStoreMax=64
Environment=PAAS_ROUTER_TLS_PORT={PUBLIC_TLS_PORT}
Environment=PAAS_INSTALLATION={settings.installation} PAAS_ROUTER_PORT={PUBLIC_PORT}
ExecStart={_quoted(program)} up
Restart=always
RestartSec=1
KillMode=process
TimeoutStartSec={START_TIMEOUT_S}
TimeoutStopSec={STOP_TIMEOUT_S}
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""


def _quoted(path: Path) -> str:
    """systemd.service(5), "Command lines": quotes, backslashes, `%` and `$` have a meaning."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + text.replace("$", "$$") + '"'
