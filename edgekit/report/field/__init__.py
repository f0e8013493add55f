"""The page of the hard frames that a device has kept."""
