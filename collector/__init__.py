"""podcause."""
