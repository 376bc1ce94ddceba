"""Adaptive discriminator augmentation: the pipeline of transforms and the controller of their strength."""
