"""The published collections that the original's dataset_tool.py converts: MNIST, CIFAR, SVHN, LSUN, HDF5, BreCaHAD."""
