"""What callers bring: events, items, people; it goes to Kafka."""
