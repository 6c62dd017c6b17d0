"""Measurements; imported by nobody."""
