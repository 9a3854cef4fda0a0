"""What your tests may use: the embedded exchange as a fixture, and contracts to subclass."""
