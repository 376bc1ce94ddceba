"""Make the fake Drive and the children importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
