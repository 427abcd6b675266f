"""What building needs to know of Node.js: its package manager and its runtimes."""
