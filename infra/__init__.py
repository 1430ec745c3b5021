"""What Headrace stands on: settings, and the broker and the store for one machine."""
