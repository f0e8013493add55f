"""What was measured, for people: results read back, compared under equal conditions, and told as a page or a table."""
