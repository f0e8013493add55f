"""What a refresh of a device found, and why it was promoted or kept out."""
