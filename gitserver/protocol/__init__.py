"""What goes over the wire: packets, side bands, commands, negotiation."""
