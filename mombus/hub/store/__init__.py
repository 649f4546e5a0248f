"""The disk and the broker under a hub: kept from filling up, mended, and refused when they are an older copy."""
