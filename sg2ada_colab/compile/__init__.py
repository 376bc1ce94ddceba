"""XLA programs: compiled side by side at the start, kept between starts, profiled; the autotune results of a GPU."""
