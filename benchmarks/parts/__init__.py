"""The parts of the benchmark of the event path."""
