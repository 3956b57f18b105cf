"""Conditions become alerts: opened once, raised when they get worse, resolved when they end."""
