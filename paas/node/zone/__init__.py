"""One zone on Linux: its OCI configuration, mounts, cgroup, listener, and the processes that hold it."""
