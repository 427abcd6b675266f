"""Files that every zone sees read-only: resolv.conf, hosts, hostname and the CA bundle.

They are made in the machine's run folder and mounted; nothing is ever written into a tenant's tree.
"""

import hashlib
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from paas.system.files import write_by_rename

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def upstream_resolvers(
    files: Sequence[Path] = _RESOLVER_FILES, *, ipv6: bool = False
) -> list[IPv4Address | IPv6Address]:
    """The host's resolvers that a zone can reach: the first file that names any off loopback.

    Those of IPv6 only on request, and never link-local ones: they are the host's alone as well.

    A loopback resolver (systemd-resolved's 127.0.0.53) is the host's alone; its upstreams stand in
    resolved's own file. Raises nothing: no file or no resolver gives an empty list.
    """
    for file in files:
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        found = [address for address in _nameservers(text) if not address.is_loopback]
        if found:
            return [item for item in found if item.version == 4 or (ipv6 and _is_routed(item))]
    return []


def _is_routed(address: IPv4Address | IPv6Address) -> bool:
    return not address.is_link_local


def search_line(files: Sequence[Path] = _RESOLVER_FILES) -> str:
    """The host's `search` and `options`, which the same names need in the zone."""
    try:
        lines = files[0].read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "".join(f"{line}\n" for line in lines if line.startswith(("search ", "options ")))


def write(
    folder: Path,
    *,
    hostname: str,
    domain: str,
    address: IPv4Address,
    resolvers: Sequence[str],
    search: str,
) -> None:
    """Write resolv.conf, hosts and hostname into the machine's run folder."""
    write_resolvers(folder, resolvers, search)
    local = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    names = hostname if hostname.endswith(f".{domain}") else f"{hostname}.{domain} {hostname}"
    _write(folder / "hosts", f"{local}{address} {names}\n")
    _write(folder / "hostname", f"{hostname}\n")


def write_resolvers(folder: Path, resolvers: Sequence[str], search: str) -> None:
    """resolv.conf alone. Into the file that is there: a zone that runs has it mounted."""
    lines = (f"nameserver {resolver}\n" for resolver in resolvers)
    _write(folder / "resolv.conf", search + "".join(lines))


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o644)


def write_bundle(target: Path, sources: Sequence[Path]) -> None:
    """The certificates of all sources that exist, each once, in one file for all zones."""
    seen: set[bytes] = set()
    kept = []
    for source in sources:
        text = source.read_text(errors="replace") if source.is_file() else ""
        for certificate in _CERTIFICATE.findall(text):
            digest = hashlib.sha256("".join(certificate.split()).encode()).digest()
            if digest not in seen:
                seen.add(digest)
                kept.append(certificate)
    write_by_rename(target, "\n".join([*kept, ""]), mode=0o644)


def _nameservers(text: str) -> list[IPv4Address | IPv6Address]:
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                found.append(ip_address(words[1].partition("%")[0]))
            except ValueError:
                continue
    return found
