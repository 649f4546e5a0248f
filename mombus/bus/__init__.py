"""How messages get kept: the broker, its streams, and publishing that is done only when it is stored."""
