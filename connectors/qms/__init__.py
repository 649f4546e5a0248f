"""Quality systems and laboratories."""
