"""What a file itself says about its origin."""
