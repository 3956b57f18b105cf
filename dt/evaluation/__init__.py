"""Measurements from files: replayed, evaluated, reported."""
