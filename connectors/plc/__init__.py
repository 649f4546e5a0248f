"""Level 2: machines and their controllers."""
