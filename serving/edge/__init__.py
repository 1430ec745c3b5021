"""What happens to every request: who asks, how often, what went wrong, how long it took."""
