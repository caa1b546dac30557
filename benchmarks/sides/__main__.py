"""Take one sample."""

import json
import os
import sys
from pathlib import Path

from sides import sample

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
print(json.dumps(sample(sys.argv[1], Path(sys.argv[2]))))
