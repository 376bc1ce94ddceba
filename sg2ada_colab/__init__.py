"""Train StyleGAN2-ADA on your own images in Google Colab, or anywhere else."""
from .errors import UserError

__version__ = "0.1.0"
__all__ = ["UserError", "__version__"]
