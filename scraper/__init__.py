"""Where pictures come from: folders and URLs."""
