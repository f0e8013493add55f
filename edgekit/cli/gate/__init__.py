"""The options of `gate`, and measuring in its place."""
