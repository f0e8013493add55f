"""What the figures of a report mean, in plain sentences."""
