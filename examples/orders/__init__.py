"""Orders over HTTP, charged once in PostgreSQL, counted once in Redis; see README.md."""
