"""What is known of a person: marks of who was forgotten, export, import."""
