"""A training run from its first to its last file: the rooms of the package put together, callbacks, log."""
