"""Devices that are reached over SSH: the link, its connection, host keys, and becoming root."""
