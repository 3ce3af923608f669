"""Lets the tests find what lies beside them."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent))
