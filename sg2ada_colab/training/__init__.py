"""Losses, optimizer, state, compiled phases, and the loop that calls them. Side effects are callbacks given to the loop."""
