"""Who may write a partition, and what becomes durable in which order."""
