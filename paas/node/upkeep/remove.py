"""Taking a whole node away from its host: machines, network, cgroups, and on request the pool.

For `paas down` (keeps the data), `paas uninstall` and tests. paas-node must have ended before.
"""

import shutil
from contextlib import suppress

from paas.node import pools
from paas.node.machines.host import Host
from paas.node.machines.records import Records
from paas.node.network import lan
from paas.node.upkeep.sweep import sweep
from paas.node.zone import cgroups, classes
from paas.settings import Settings

_RUN = ("runc", "preload.cjs", "ca-certificates.crt", "node.sock", "vminfod.sock", "began")


async def stop_all(settings: Settings) -> list[str]:
    """End every machine of the installation and clear its traces; records and data stay.

    Machines that should run are booted again by the next paas-node. Returns what was done.
    """
    pool = pools.open_pool(settings)
    host = Host(settings, pool, Records(pool.root), (), "", lambda _old, _new: None)
    done = await sweep(host, ())
    lan.remove(settings)
    for kind in classes.KINDS:
        cgroups.remove(f"/{settings.installation}/{kind}")
    classes.remove(settings.installation)
    return done


async def remove(settings: Settings) -> list[str]:
    """`stop_all`, then the pool with all images and machines, the logs and the run folder."""
    done = await stop_all(settings)
    pools.close_pool(settings)
    with suppress(FileNotFoundError):
        settings.pool_file.unlink()
    for folder in (settings.pool_mount, settings.logs / "machines", settings.machines_run):
        shutil.rmtree(folder, ignore_errors=True)
    for name in _RUN:
        path = settings.run / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return [*done, f"removed the pool {settings.pool_file}"]
