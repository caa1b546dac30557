"""Write tiny real models and break them, to test set-up code within milliseconds and without TensorFlow or torch.

```python
import pytest
import safeload
from safeload import testing

def test_my_set_up_reports_a_truncated_download(tmp_path):
    testing.write_bert_checkpoint(tmp_path)
    testing.truncate(tmp_path)
    with pytest.raises(safeload.SafeLoadError):
        my_set_up(tmp_path)
```

safeload also installs the pytest fixtures `tiny_bert`, `tiny_elmo`, `bert_faults` and `elmo_faults`.
"""

from __future__ import annotations

from safeload.testing._bert import write_bert, write_bert_checkpoint
from safeload.testing._bundle import write_checkpoint
from safeload.testing._catalogue import BERT_FAULTS, ELMO_FAULTS, Fault, bert_faults, elmo_faults
from safeload.testing._elmo import write_elmo
from safeload.testing._faults import (
    as_html_page,
    as_lfs_pointer,
    drop_variable,
    edit_config,
    edit_vocabulary,
    exchange_files,
    flip_bit,
    leave_unwritten,
    poison,
    remove_file,
    remove_shard,
    rename_variable,
    reshape_variable,
    swap_index,
    truncate,
)

__all__ = [
    "BERT_FAULTS",
    "ELMO_FAULTS",
    "Fault",
    "as_html_page",
    "as_lfs_pointer",
    "bert_faults",
    "drop_variable",
    "edit_config",
    "edit_vocabulary",
    "elmo_faults",
    "exchange_files",
    "flip_bit",
    "leave_unwritten",
    "poison",
    "remove_file",
    "remove_shard",
    "rename_variable",
    "reshape_variable",
    "swap_index",
    "truncate",
    "write_bert",
    "write_bert_checkpoint",
    "write_checkpoint",
    "write_elmo",
]
