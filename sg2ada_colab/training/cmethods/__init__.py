"""The methods that the ADA paper compares itself with, a module each. `shallowmap` has none: it is a shorter mapping network."""
