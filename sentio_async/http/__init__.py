"""HTTP: calls declared without I/O, and one session that sends them."""
