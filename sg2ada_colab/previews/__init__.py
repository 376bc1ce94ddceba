"""Pictures of a run for people: grids, curves, animations, comparisons."""
