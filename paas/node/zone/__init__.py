"""One zone on Linux: OCI configuration, mounts, cgroup, listener, and processes that hold it."""
