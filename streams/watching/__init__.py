"""What a worker says of itself, and what a look at the whole deployment finds."""
