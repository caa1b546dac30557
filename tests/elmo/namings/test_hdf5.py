"""The names of a weight file's datasets: what is a biLM's, and what is not read."""

from __future__ import annotations

from safeload.elmo.namings import NAMINGS
from safeload.elmo.namings._cells import count_numbered
from safeload.elmo.namings.hdf5 import Hdf5
from safeload.report import TensorSpec


def test_the_first_naming_is_the_one_that_errors_name():
    assert NAMINGS[0].id == "hdf5"


def test_a_file_with_any_part_of_a_bilm_has_it_under_no_scope():
    for name in ("CNN/W_cnn_0", "CNN_proj/W_proj", "RNN_0/x", "RNN_1/x", "char_embed"):
        assert Hdf5().scopes(["adapter", name]) == [""]
    for names in ([], ["adapter"], ["x/CNN"], ["RNN_2/x"], ["CNN_high_0/W_carry"]):
        assert Hdf5().scopes(names) == []


def test_only_what_training_needs_is_unused():
    classes = {"training": ["softmax/W", "global_step"], "": ["softmaxes", "CNN/softmax", "adapter"]}
    for what, names in classes.items():
        for name in names:
            assert Hdf5().class_of(name, TensorSpec(name=name, shape=(1,), dtype="float32"), "") == what


def test_numbered_things_are_counted_by_the_largest_number():
    assert count_numbered(["a_0", "a_3", "b_7"], r"a_(\d+)") == 4
    assert count_numbered(["b_7"], r"a_(\d+)") == 0
