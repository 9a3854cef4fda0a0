"""Long runs that try to break things; each prints one JSON object and ends by itself."""
