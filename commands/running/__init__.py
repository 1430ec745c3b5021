"""What ``headrace run`` is made of: a worker of its own, publishing beside it, a live view, the outcome."""
