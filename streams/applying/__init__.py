"""From batches to user states and lists, on their way out."""
