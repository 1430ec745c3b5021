"""One file per online scorer: each learns from every event and can score all items for a user."""
