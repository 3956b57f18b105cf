"""Stand-ins for what a Pi's libraries offer, with the same surface, that speak the wire protocol."""
