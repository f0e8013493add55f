"""Frames that devices kept: fetched, looked at in safety, screened, and put into sets."""
