"""The learning log and what follows from it: checkpoints, item records, the model outside of workers."""
