"""A worker from start to end, and what it says of itself."""
