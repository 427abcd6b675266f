"""What the node looks after by itself: leftovers, pools, what it says of the host."""
