"""What the tests of models need."""

import os

# The tests share the machine's cores, and nothing here is large enough for more than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
