"""The REST facade of the database service, one module per group of endpoints."""
