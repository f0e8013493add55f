"""Before and after: which results may be compared, and what changed between them."""
