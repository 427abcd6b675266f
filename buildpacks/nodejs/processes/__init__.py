"""What an app starts: its processes, and what serves where it names none."""
