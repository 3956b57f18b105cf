"""Chips of the box, register by register, as the unmodified drivers expect them."""
