"""`edgekit refresh`: from the frames that a device has kept to a better engine in service."""
