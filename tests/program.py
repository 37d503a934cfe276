"""The program as it is installed."""

import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("eventstream")
