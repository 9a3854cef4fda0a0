"""What the embedded exchange speaks: one module or folder per vendor."""
