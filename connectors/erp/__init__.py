"""ERP systems: who decides what is made and when, and posts what was made, used and received."""
