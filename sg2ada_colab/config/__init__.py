"""Options as given → presets → one checked configuration, saved as JSON. Nothing here imports TensorFlow."""
