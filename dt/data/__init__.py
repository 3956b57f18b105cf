"""Readings on their way: processing judges them, the database keeps them."""
