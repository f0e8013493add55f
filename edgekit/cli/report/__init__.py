"""What `report` gathers before it writes: records, lines of other verbs, the user's prices."""
