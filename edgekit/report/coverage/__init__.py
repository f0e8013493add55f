"""The page of what scenes a set covers and lacks."""
