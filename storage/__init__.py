"""Truth: the database and the picture files."""
