"""Orders: placed once, and what became of them."""
