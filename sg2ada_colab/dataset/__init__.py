"""Images → TFRecords → shuffled training batches. Imports no TensorFlow."""

from .options import PrepareOptions
from .preparation import PrepareResult, prepare
from .reading import Dataset, open_dataset
from .stream import TrainingStream

__all__ = ["Dataset", "PrepareOptions", "PrepareResult", "TrainingStream", "open_dataset", "prepare"]
