"""The faults of the field, and the desk at which they are ordered."""
