"""Where pictures come from: folders on this machine, and URLs."""
