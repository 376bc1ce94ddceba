"""What people make with a trained network: one module a verb, all over one `TrainedGenerator`; a new verb is a new module."""
