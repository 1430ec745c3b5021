"""What is answered, and why: in JSON and in words."""
