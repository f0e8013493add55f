"""What `export` needs of a detector's model."""
