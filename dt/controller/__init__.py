"""Actuators: one gate for every command, and a guard that owns the pins."""
