"""Models that are rules with parameters."""
