"""The only process that opens the store for a group of workers."""
