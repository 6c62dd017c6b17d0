"""The nightly run: when it is due, who works on it, and how its process holds on to it."""
