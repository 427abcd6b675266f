"""Runs inside a zone: says as JSON what it sees and what it may write."""

# System calls as they are, without pathlib between.
# ruff: noqa: PTH112, PTH114, PTH118, PTH123, PTH208, SIM115
import errno
import json
import os
import resource
import stat
import sys

MASKED = sys.argv[1].split()
WRITES = sys.argv[2].split()


def looks_masked(path):
    """Empty, or not there, or not to be opened."""
    try:
        if os.path.isdir(path):
            return not os.listdir(path)
        with open(path, "rb") as file:
            return not file.read(64)
    except OSError:
        return True


def write(path):
    """How an attempt to open it for writing ends. Nothing is written."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def writable_places():
    """Folders and files that the caller may write, outside /proc; not what is below a folder."""
    found = []
    for base, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(base, name) != "/proc"]
        for name in list(folders):
            path = os.path.join(base, name)
            if not os.path.islink(path) and os.access(path, os.W_OK):
                found.append(path)
                folders.remove(name)
        for name in files:
            path = os.path.join(base, name)
            if stat.S_ISLNK(os.lstat(path).st_mode):
                continue
            if os.access(path, os.W_OK):
                found.append(path)
    return sorted(found)


def mounts():
    """Of each mount its options and kind, without those over masked and read-only paths."""
    found = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            words = line.split()
            found[words[4]] = {
                "options": words[5].split(","),
                "type": words[words.index("-") + 1],
                "super": words[-1].split(","),
            }
    return found


def status():
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


limits = ["NOFILE", "CORE", "MSGQUEUE", "SIGPENDING", "MEMLOCK"]
print(
    json.dumps(
        {
            "masked": {path: looks_masked(path) for path in MASKED},
            "writes": {path: write(path) for path in WRITES},
            "writable": writable_places(),
            "devices": sorted(os.listdir("/dev")),
            "mounts": mounts(),
            "status": status(),
            "uid_map": open("/proc/self/uid_map").read().split(),
            "gid_map": open("/proc/self/gid_map").read().split(),
            "hostname": os.uname().nodename,
            "limits": {
                name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
                if hasattr(resource, f"RLIMIT_{name}")
                else None
                for name in limits
            },
            "environment": sorted(os.environ),
            "cgroup": open("/proc/self/cgroup").read().split(),
            "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        }
    )
)
