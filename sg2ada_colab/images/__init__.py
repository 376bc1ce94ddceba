"""Find, read and fit image files of any kind; report what is wrong with them. Imports no TensorFlow."""
