"""What the facts on the bus say about the shop floor: reading.py reads them, the others add them up, without I/O."""
