"""Git's objects and packs: read, checked, placed, packed."""
