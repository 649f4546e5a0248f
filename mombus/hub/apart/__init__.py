"""Parts of a hub in processes of their own: each side of what they say to each other over the bus."""
