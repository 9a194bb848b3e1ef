"""The composition root: builds the store, the doors and the workers, and keeps the process tree alive."""
