"""Who says it: each system's own protocol, translated to the canonical model and back."""
