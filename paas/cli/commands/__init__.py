"""The commands of `paas`, one file a noun."""
