"""Parts of the supervisor: who runs the installation, its folders, sockets and background."""
