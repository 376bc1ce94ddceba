"""Make the fake Drive importable: its program and its handle lie with the soak tests."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "soak"))
