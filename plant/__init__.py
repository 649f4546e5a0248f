"""The simulated packaging line and its systems: real servers of real protocols, for the demo and the tests."""
