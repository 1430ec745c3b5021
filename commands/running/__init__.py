"""What ``headrace run`` and ``headrace simulate`` are made of: a worker of their own, publishing beside it, a live view."""
