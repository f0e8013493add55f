"""The part of `calib` that is about labels."""
