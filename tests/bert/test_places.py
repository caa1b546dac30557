"""Where a BERT's files are, and what is said of a file in another's place."""

from __future__ import annotations

import pytest

import safeload
from safeload._forms.tensorflow.prefixes import FORMS_HINT
from safeload.errors import CheckpointNotFoundError, InvalidPathError, MissingFileError, WrongFileKindError


def test_a_prefix_in_a_folder_that_is_not_there_has_a_hint(bert):
    with pytest.raises(CheckpointNotFoundError, match="its folder does not exist") as caught:
        safeload.check_bert(bert, bert / "none" / "model.ckpt")
    assert caught.value.hints == (FORMS_HINT,)
    with pytest.raises(CheckpointNotFoundError, match="its folder does not exist") as caught:
        safeload.check_bert(bert, bert / "none" / "bert_model.ckpt")
    assert caught.value.hints == (f"did you mean the prefix {bert}/bert_model.ckpt?",)


@pytest.mark.parametrize("name", ["bert_model.ckpt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
def test_a_checkpoint_in_the_configs_place_is_told(name, bert):
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(bert / name)
    assert caught.value.found == "part of a TensorFlow checkpoint"
    with pytest.raises(WrongFileKindError, match="are swapped") as caught:
        safeload.check_bert(bert / name, bert / "bert_config.json")
    assert (caught.value.found, caught.value.wanted) == ("part of a TensorFlow checkpoint", "JSON text")
    assert caught.value.context == (("checkpoint", str(bert / "bert_config.json")),)
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(bert / name, bert)
    assert caught.value.found == "part of a TensorFlow checkpoint"
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(bert / name), bert / name, "config")


def test_exchanged_files_may_be_relative(bert):
    with pytest.raises(WrongFileKindError, match="are swapped"):
        safeload.check_bert("bert_model.ckpt", "bert_config.json", base_dir=bert)
    with pytest.raises(InvalidPathError, match=r"^checkpoint_file is of type int, not a path"):
        safeload.check_bert(bert / "bert_model.ckpt", 3)


def test_an_index_file_that_is_not_there_is_no_checkpoint_in_the_configs_place(bert):
    with pytest.raises(MissingFileError, match="no config file"):
        safeload.check_bert(bert / "none.index")
