"""Desired → actual: instances are placed, booted, switched to, drained, healed and scaled.

What should run is in the database (releases, formation, instances); what runs is the node's word.
`plan`, `payload` and `unready` decide and are pure; the other modules act.
"""
