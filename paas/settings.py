"""The installation: one frozen object, and the only reader of environment and configuration file.

Everything that two installations on one host must not share (folders, pool, ports, bridge, subnet,
nftables table, cgroups, names of network interfaces) derives from here. Every command loads this
module: what few of them need is imported where it is used.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from paas.errors import UserError

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Network = TypeVar("Network", bound="IPv4Network | IPv6Network")
DEFAULT_INSTALLATION = "smartplatform"
CONFIGURATION_FOLDER = Path("/etc/smartplatform")
CONTROL_USER = "paas-control"
ROUTER_USER = "paas-router"
SUBNET_BITS_MAX = 24
SUBNET6_BITS_MAX = 112
"""A smaller network has no address for every machine that a node can have."""

SMARTOS_COMMANDS = ("vmadm", "imgadm", "sysinfo")


@dataclass(frozen=True)
class Settings:
    """One installation. Sizes are in bytes, ports are TCP, folders are absolute."""

    installation: str = DEFAULT_INSTALLATION
    router_port: int = 8080
    router_tls_port: int = 0
    """Where the router speaks TLS; 0 means nowhere, and then nothing makes or asks certificates."""
    control_port: int = 8081
    ssh_port: int = 0
    """Where git is served over SSH, on all addresses, to who has a key here; 0 means nowhere."""
    router_workers: int = 0
    """0 means one a core, less one, and at least one."""
    router_limits: tuple[str, ...] = ()
    """`name=number` each, over the defaults of `router.memory.limits.Limits`."""
    router_trusted_proxies: tuple[str, ...] = ()
    """Networks or addresses from which connections begin with a PROXY header (version 1 or 2)."""
    router_forwarding_proxies: tuple[str, ...] = ()
    """Networks or addresses of HTTP proxies (load balancers, CDNs) whose X-Forwarded-For, -Proto,
    -Host and -Port, or Forwarded, are believed. Everybody else's are dropped."""
    pool_bytes: int = 0
    """The greatest size of the pool's sparse file; 0 means what the disk can give."""
    pool_device: str = ""
    """A block device or folder that holds the pool instead of the sparse file."""
    cpu_oversell: float = 4.0
    """How often each core (of seven eighths of them) may be promised by `cpu_shares`: 1 keeps every
    promise, 0 counts nothing. 4 is Triton's: few machines are busy at the same time."""
    memory_oversell: float = 4.0
    """The same for memory, which a package limits and does not promise: an idle app fills a small
    part of its package. Triton has 1."""
    disk_oversell: float = 20.0
    """The same for the pool without its reserve, by `quota`: most apps write next to nothing, and
    all share their image's blocks."""
    subnet: str = ""
    """The machines' IPv4 network; empty means 10.X.0.0/16, X from 64 to 191 by the name."""
    subnet6: str = ""
    """The machines' IPv6 network; empty means a unique local one, `none` means no IPv6."""
    base_domains: tuple[str, ...] = ("localhost",)
    nodejs_default: str = ""
    """The Node.js of apps that leave it open: a major or a version (`24`, `24.x`, `24.19.0`). Empty
    means the major that the platform brings. An app that has a release stays on that one's major.
    """
    boot_timeout_s: float = 60.0
    acme_directory: str = ""
    """The URL of an ACME server's directory (RFC 8555); empty means none, see `acme_email`."""
    acme_email: str = ""
    """Whom the certificate authority may write to. Whoever sets it agrees to the authority's terms;
    set without `acme_directory`, it means Let's Encrypt."""
    drain_timeout_s: float = 30.0
    build_memory_mib: int = 2048
    """What a build has, if its app asks for nothing else (config var `BUILD_MEMORY_MIB`)."""
    build_memory_max_mib: int = 4096
    """The most that an app can ask for."""
    build_timeout_s: float = 900.0
    """The time of each step of a build, if its app asks for nothing else (`BUILD_TIMEOUT_S`)."""
    build_timeout_max_s: float = 3600.0
    hooks_url: str = ""
    """Where git hosts reach `/hooks/`, if that is not `smartplatform.<base domain>` at the router:
    the address of a proxy, say, that hands them on."""
    fetch_from_private_addresses: bool = False
    """May an app's source be fetched from private addresses, and without TLS? Whoever may deploy
    reaches the networks of this host then, as the platform itself."""
    drain_to_private_addresses: bool = False
    """May logs be sent to loopback and private addresses, and by HTTP without TLS? Whoever may add
    a drain reaches the networks of this host then, as the platform itself."""
    imgapi_listen: str = ""
    """Where images that were published here are served to other nodes' `imgadm`: ADDRESS:PORT,
    without TLS. Everybody who reaches it can read them; writing needs `<state>/imgapi/token`. Empty
    means nowhere."""
    smartos_paths: bool = False
    """Are `/usr/sbin/{vmadm,imgadm,sysinfo}` and `/etc/zones/<uuid>.xml` made, where programs for
    SmartOS look for them?"""
    share_npm_credentials: bool = False
    """Do builds get the tokens and passwords of the host's npm configuration? Whoever pushes can
    read them then."""

    @property
    def mark(self) -> str:
        """In files that the platform makes outside its own folders: whose they are."""
        return f"made by the installation {self.installation!r} of smartplatform"

    @property
    def state(self) -> Path:
        """Survives a reboot."""
        return Path("/var/lib") / self.installation

    @property
    def run(self) -> Path:
        """Gone after a reboot."""
        return Path("/run") / self.installation

    @property
    def began(self) -> Path:
        """A file that is there from the node's first start on, until the host or `paas down` ends
        everything: without it machines with `autoboot` are started."""
        return self.run / "began"

    @property
    def cache(self) -> Path:
        """Can be made again, and is shared by all installations of the host: stacks."""
        return Path("/var/cache/smartplatform")

    @property
    def pool_file(self) -> Path:
        return self.state / "pool.img"

    @property
    def pool_mount(self) -> Path:
        """Where the pool `zones` is mounted: `<here>/<image or machine uuid>/…`, 0700."""
        return self.state / "zones"

    @property
    def logs(self) -> Path:
        """`machines/<machine uuid>.log` by conmon, `router/<app id>.log`, `apps/<app id>.log`."""
        return self.state / "logs"

    @property
    def control_state(self) -> Path:
        """The control process's own: database, repositories, build logs."""
        return self.state / "control"

    @property
    def router_state(self) -> Path:
        return self.state / "router"

    @property
    def repositories(self) -> Path:
        return self.control_state / "repositories"

    def repository(self, app_id: str) -> Path:
        """An app's git repository: by id, so that renaming an app moves nothing."""
        return self.repositories / f"{app_id}.git"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.control_state / 'platform.db'}"

    @property
    def sources(self) -> Path:
        """Archives that were uploaded to be built, for a while."""
        return self.control_state / "sources"

    @property
    def root_certificate(self) -> Path:
        """The installation's own authority: a browser that is to trust it has to know this file."""
        return self.control_state / "certificates" / "root.pem"

    @property
    def ssh_host_key(self) -> Path:
        """The private key by which git's clients know this server again."""
        return self.control_state / "ssh_host_ed25519_key"

    @property
    def npmrc(self) -> Path:
        """The host's npm configuration, copied at start for the control process."""
        return self.control_state / "npmrc"

    @property
    def control_socket(self) -> Path:
        return self.run / "control" / "control.sock"

    @property
    def node_socket(self) -> Path:
        return self.run / "node.sock"

    @property
    def router_socket(self) -> Path:
        return self.run / "router" / "router.sock"

    @property
    def machines_run(self) -> Path:
        """`<machine uuid>/{tree/,web.sock,bundle/}`."""
        return self.run / "machines"

    @property
    def key(self) -> str:
        """Six hexadecimal digits that stand for the installation where names must be short."""
        import hashlib

        return hashlib.sha256(self.installation.encode()).hexdigest()[:6]

    @property
    def bridge(self) -> str:
        return f"pb-{self.key}"

    @property
    def veth_prefix(self) -> str:
        """Names of network interfaces have at most 15 characters: `pv<key><slot>`."""
        return f"pv{self.key}"

    @property
    def nftables_table(self) -> str:
        return f"paas_{self.key}"

    @property
    def network(self) -> "IPv4Network":
        """The zones' network: the first address is the bridge's. Raises UserError."""
        from ipaddress import IPv4Network

        text = self.subnet or f"10.{64 + int(self.key, 16) % 128}.0.0/16"
        return _network(IPv4Network, "subnet", text, SUBNET_BITS_MAX, "10.77.0.0/16")

    @property
    def network6(self) -> "IPv6Network | None":
        """The zones' IPv6 network, where the host has any: the first address is the bridge's.

        By itself a unique local one (RFC 4193), from which packets leave with the host's address.
        """
        import hashlib
        from ipaddress import IPv6Network

        if self.subnet6 == "none":
            return None
        digits = "fd" + hashlib.sha256(self.installation.encode()).hexdigest()[:10]
        text = self.subnet6 or f"{digits[:4]}:{digits[4:8]}:{digits[8:]}::/64"
        example = "fd12:3456:789a::/64, or none"
        return _network(IPv6Network, "subnet6", text, SUBNET6_BITS_MAX, example)


def load(
    environment: Mapping[str, str] | None = None, folder: Path = CONFIGURATION_FOLDER
) -> Settings:
    """The settings of the installation that `PAAS_INSTALLATION` names.

    Values come from `<folder>/<installation>.toml`, and over them from `PAAS_<FIELD>` variables.
    Raises UserError for an unknown key or a value of the wrong kind.
    """
    environment = os.environ if environment is None else environment
    installation = environment.get("PAAS_INSTALLATION") or DEFAULT_INSTALLATION
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", installation):
        raise UserError(
            "invalid_params",
            f"PAAS_INSTALLATION is {installation!r}, which can't name an installation",
            "Use at most 31 lower-case letters, digits and dashes, a letter first.",
            exit_code=2,
        )
    values = _from_file(folder / f"{installation}.toml") | _from_environment(environment)
    return Settings(installation=installation, **values)


def reread(settings: Settings) -> Settings:
    """The same installation's settings as they are now; as they were while the file is broken."""
    try:
        return load({**os.environ, "PAAS_INSTALLATION": settings.installation})
    except (UserError, OSError):
        return settings


def where(settings: Settings, field: str) -> str:
    """What an operator changes to change a setting: the file, or the variable that is over it."""
    variable = f"PAAS_{field.upper()}"
    if os.environ.get(variable):
        return f"the environment variable {variable} of paas up"
    return f"{field} in {CONFIGURATION_FOLDER / settings.installation}.toml"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError("invalid_params", f"{path} is not TOML: {error}", exit_code=2) from error
    return {key: _convert(f"{path}: {key}", key, value) for key, value in table.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for field in fields(Settings):
        name = f"PAAS_{field.name.upper()}"
        if field.name != "installation" and environment.get(name):
            values[field.name] = _convert(name, field.name, environment[name])
    return values


def _convert(where: str, key: str, value: Any) -> Any:
    known: dict[str, Any] = {field.name: field.default for field in fields(Settings)}
    if key not in known or key == "installation":
        raise UserError("invalid_params", f"{where}: there is no such setting", exit_code=2)
    default = known[key]
    if key == "nodejs_default":
        _check_nodejs_default(where, str(value))
    try:
        if isinstance(default, bool):
            return _truth(value)
        if isinstance(default, tuple):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(str(item).strip().lower() for item in items)
        return type(default)(value)
    except (TypeError, ValueError) as error:
        raise UserError(
            "invalid_params", f"{where}: {value!r} is not {type(default).__name__}", exit_code=2
        ) from error


def _check_nodejs_default(where: str, text: str) -> None:
    """A range would leave open what it is there to decide."""
    if text and not re.fullmatch(r"v?[1-9]\d?(\.\d{1,4}|\.x){0,2}", text, re.ASCII):
        raise UserError(
            "invalid_params",
            f"{where} is {text!r}, which is neither a major nor a version of Node.js",
            "Write 24, 24.x or 24.19.0.",
            exit_code=2,
        )


def _truth(value: Any) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]


def _network(
    kind: "type[Network]", setting: str, text: str, bits_max: int, example: str
) -> "Network":
    try:
        network = kind(text)
        if network.prefixlen <= bits_max:
            return network
        problem = f"it has no room: write /{bits_max} or a smaller number"
    except ValueError as error:
        problem = str(error)
    raise UserError(
        "invalid_params",
        f"{setting} is {text!r}: {problem}",
        f"Write a network such as {example}.",
        exit_code=2,
    )
