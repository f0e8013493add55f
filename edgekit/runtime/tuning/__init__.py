"""Settings of a machine that figures depend on: each can be read, kept, set for measuring, and set back."""
