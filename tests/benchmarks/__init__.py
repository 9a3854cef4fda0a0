"""What things cost, ours and others', doing the same work in the same run."""
