"""A training run from its first to its last file: the stages of the package put together."""
