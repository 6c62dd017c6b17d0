"""How the tables came to be, one step a file; `python -m storage.migrations "what"` adds one."""
