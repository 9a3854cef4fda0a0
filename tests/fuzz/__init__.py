"""Generated input against a second implementation of the same rules."""
