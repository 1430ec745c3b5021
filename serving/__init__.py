"""Redis from both sides, what the worker writes and what readers read, and the HTTP service."""
