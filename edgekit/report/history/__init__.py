"""Results over time, in one database: SQLite in the project, or PostgreSQL for several machines."""
