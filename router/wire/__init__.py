"""How the processes speak: frames on a socket, connections that can be given up."""
