"""What all workers of a router share: counters, rates, limits, bells."""
