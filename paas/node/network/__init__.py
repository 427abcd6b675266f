"""The zones' network on this host: bridge, one veth a machine, NAT and the walls between owners."""
