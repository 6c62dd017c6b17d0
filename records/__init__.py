"""Signed records: what a verdict was and rested on, in a form that anybody can check later."""
