"""What verbs print for people: tables and lines, one module a subject."""
