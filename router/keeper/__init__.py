"""The first process: holds sockets, table and workers, and answers control."""
