"""What the operating system gives: commands, orphans, addresses, terminals."""
