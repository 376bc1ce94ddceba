"""FID, KID and the other metrics of a generator, the feature networks that they use, and their results on disk."""
