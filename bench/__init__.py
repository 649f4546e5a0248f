"""What the bus costs: each figure beside what the bare library under it does with the same work on the same machine."""
