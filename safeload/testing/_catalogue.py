"""List named faults of models, and the error that safeload raises for each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload import errors
from safeload._boundary import typed_errors
from safeload.elmo._module import ENCODER
from safeload.testing import _faults as f
from safeload.testing._allennlp import WEIGHTS_NAME as STATE_DICT
from safeload.testing._bert import VOCAB_NAME
from safeload.testing._elmo_forms import ELMO_FORMS, OPTIONS_NAME, naming_of_form, scope_of_form
from safeload.testing._forms import CONFIG_NAME, FORMS, PREFIX, stored_name, valid_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_QUERY = "bert/encoder/layer_0/attention/self/query/kernel"
_PROJECTION = "CNN_proj/W_proj"
_OF_ALLENNLP = (f"{ENCODER}._projection.weight", f"{ENCODER}._projection.bias")


class Fault(NamedTuple):
    """A fault of a model.

    Attributes:
        spoil: Function that causes the fault in a model's folder.
        error: The error that `check_bert`, `load_bert`, `check_elmo` or `load_elmo` then raises.
    """

    spoil: Callable[[Path], Any]
    error: type[errors.SafeLoadError]


def _not_utf8(folder: Path) -> None:
    (folder / VOCAB_NAME).write_bytes((folder / VOCAB_NAME).read_bytes() + b"caf\xe9\n")


BERT_FAULTS: Mapping[str, Fault] = {
    "no config": Fault(partial(f.remove_file, file=CONFIG_NAME), errors.MissingFileError),
    "no index file": Fault(partial(f.remove_file, file=f"{PREFIX}.index"), errors.CheckpointNotFoundError),
    "a data shard is missing": Fault(f.remove_shard, errors.CheckpointNotFoundError),
    "the shard is cut": Fault(f.truncate, errors.CorruptFileError),
    "the index file is cut": Fault(partial(f.truncate, file=f"{PREFIX}.index"), errors.CorruptFileError),
    "a bit flipped": Fault(partial(f.flip_bit, variable=_QUERY), errors.CorruptFileError),
    "the index file of another training": Fault(f.swap_index, errors.CorruptFileError),
    "NaN in the weights": Fault(f.poison, errors.CorruptFileError),
    "infinity in the weights": Fault(partial(f.poison, value=float("inf")), errors.CorruptFileError),
    "the shard is an LFS pointer": Fault(f.as_lfs_pointer, errors.WrongFileKindError),
    "the config is an LFS pointer": Fault(partial(f.as_lfs_pointer, file=CONFIG_NAME), errors.WrongFileKindError),
    "the index file is an HTML page": Fault(partial(f.as_html_page, file=f"{PREFIX}.index"), errors.WrongFileKindError),
    "the config is an HTML page": Fault(partial(f.as_html_page, file=CONFIG_NAME), errors.WrongFileKindError),
    "the config lacks a key": Fault(partial(f.edit_config, hidden_act=None), errors.ConfigError),
    "the config has a quoted number": Fault(partial(f.edit_config, vocab_size="30"), errors.ConfigError),
    "the config is of another model": Fault(partial(f.edit_config, model_type="roberta"), errors.ConfigError),
    "the config has a layer more": Fault(partial(f.edit_config, num_hidden_layers=3), errors.VariableMismatchError),
    "the config has a layer less": Fault(partial(f.edit_config, num_hidden_layers=1), errors.VariableMismatchError),
    "the config is of another size": Fault(partial(f.edit_config, hidden_size=32), errors.VariableMismatchError),
    "a variable is missing": Fault(partial(f.drop_variable, name=_QUERY), errors.VariableMismatchError),
    "a variable has another name": Fault(
        partial(f.rename_variable, name=_QUERY, new=f"{_QUERY}_1"), errors.VariableMismatchError
    ),
    "a variable has another shape": Fault(
        partial(f.reshape_variable, name=_QUERY, shape=(4, 64)), errors.VariableMismatchError
    ),
    "the vocabulary has a token twice": Fault(
        partial(f.edit_vocabulary, change=lambda lines: [*lines[:-1], lines[-2]]), errors.VocabularyError
    ),
    "the vocabulary has a token more": Fault(
        partial(f.edit_vocabulary, change=lambda lines: [*lines, "new"]), errors.VocabularyError
    ),
    "the vocabulary lacks the special tokens": Fault(
        partial(f.edit_vocabulary, change=lambda lines: lines[5:]), errors.VocabularyError
    ),
    "the vocabulary is not UTF-8": Fault(_not_utf8, errors.VocabularyError),
}
"""Name -> fault, for a BERT that `write_bert_checkpoint` wrote with default arguments."""

_OF_GOOGLES_FILES = (
    "no index file", "a data shard is missing", "the index file is cut", "a bit flipped", "the index file of another training",
    "the index file is an HTML page", "the config lacks a key", "a variable has another shape",
)  # fmt: skip


@typed_errors
def bert_faults(form: str = "tensorflow") -> Mapping[str, Fault]:
    """Return name -> fault, for a BERT that `write_bert` wrote in a form, with default arguments otherwise.

    Args:
        form: As in `write_bert`. Other forms than Google's have only the faults that are possible there: no truncated
            index file if the form has none, no flipped bit if it has no checksums.

    Raises:
        ArgumentError: There is no such form.
    """
    name = valid_form(form)
    if FORMS[name] is FORMS["tensorflow"]:
        return BERT_FAULTS
    config, query = FORMS[name].config_name, stored_name(_QUERY, FORMS[name])
    other = f"{query}_1".replace(":0_1", "_1:0")
    return {
        **{name: fault for name, fault in BERT_FAULTS.items() if name not in _OF_GOOGLES_FILES},
        "no config": Fault(partial(f.remove_file, file=config), errors.MissingFileError),
        "the config is an LFS pointer": Fault(partial(f.as_lfs_pointer, file=config), errors.WrongFileKindError),
        "the config is an HTML page": Fault(partial(f.as_html_page, file=config), errors.WrongFileKindError),
        "a variable is missing": Fault(partial(f.drop_variable, name=query), errors.VariableMismatchError),
        "a variable has another name": Fault(
            partial(f.rename_variable, name=query, new=other), errors.VariableMismatchError
        ),
        "a variable has another shape": Fault(
            partial(f.reshape_variable, name=query, shape=(4, 64)), errors.VariableMismatchError
        ),
    }


ELMO_FAULTS: Mapping[str, Fault] = {
    "no options": Fault(partial(f.remove_file, file=OPTIONS_NAME), errors.MissingFileError),
    "no weights": Fault(f.remove_file, errors.MissingFileError),
    "options and weights exchanged": Fault(f.exchange_files, errors.WrongFileKindError),
    "the weights are cut": Fault(f.truncate, errors.CorruptFileError),
    "the weights are an LFS pointer": Fault(f.as_lfs_pointer, errors.WrongFileKindError),
    "the weights are an HTML page": Fault(f.as_html_page, errors.WrongFileKindError),
    "the options are an HTML page": Fault(partial(f.as_html_page, file=OPTIONS_NAME), errors.WrongFileKindError),
    "NaN in the weights": Fault(f.poison, errors.CorruptFileError),
    "a dataset was never written": Fault(partial(f.leave_unwritten, name=_PROJECTION), errors.CorruptFileError),
    "the options lack a key": Fault(partial(f.edit_config, lstm={"cell_clip": None}), errors.ConfigError),
    "the options are those for training": Fault(
        partial(f.edit_config, char_cnn={"n_characters": 261}), errors.ConfigError
    ),
    "the options have a layer more": Fault(partial(f.edit_config, lstm={"n_layers": 3}), errors.VariableMismatchError),
    "the options have a layer less": Fault(partial(f.edit_config, lstm={"n_layers": 1}), errors.VariableMismatchError),
    "the options are of another size": Fault(partial(f.edit_config, lstm={"dim": 16}), errors.VariableMismatchError),
    "a dataset is missing": Fault(partial(f.drop_variable, name=_PROJECTION), errors.VariableMismatchError),
    "a dataset has another name": Fault(
        partial(f.rename_variable, name=_PROJECTION, new="CNN_proj/W"), errors.VariableMismatchError
    ),
    "a dataset has one value": Fault(
        partial(f.reshape_variable, name="CNN_proj/b_proj", shape=(1,)), errors.VariableMismatchError
    ),
}
"""Name -> fault, for an ELMo that `write_elmo` wrote with default arguments."""


@typed_errors
def elmo_faults(form: str = "hdf5") -> Mapping[str, Fault]:
    """Return name -> fault, for an ELMo that `write_elmo` wrote in a form, with default arguments otherwise.

    Args:
        form: As in `write_elmo`. Other forms than HDF5 have only the faults that are possible there: the files of a
            checkpoint are not exchanged with the options, but a flipped bit is detected by their checksums.

    Raises:
        ArgumentError: There is no such form.
    """
    name = valid_form(form, ELMO_FORMS)
    naming = naming_of_form(ELMO_FORMS[name], 1 if name == "hdf5/one-layer" else 2)
    projection = _OF_ALLENNLP if naming.id == "allennlp" else (_PROJECTION, "CNN_proj/b_proj")
    stored, bias = (naming.stored_as(each, scope_of_form(ELMO_FORMS[name], naming))[0] for each in projection)
    faults = {
        **ELMO_FAULTS,
        "a dataset is missing": Fault(partial(f.drop_variable, name=stored), errors.VariableMismatchError),
        "a dataset has another name": Fault(
            partial(f.rename_variable, name=stored, new=stored[:-1]), errors.VariableMismatchError
        ),
        "a dataset has one value": Fault(
            partial(f.reshape_variable, name=bias, shape=(1,)), errors.VariableMismatchError
        ),
    }
    if name == "hdf5/one-layer":
        faults["the options have a layer more"] = Fault(
            partial(f.edit_config, lstm={"n_layers": 2}), errors.VariableMismatchError
        )
        del faults["the options have a layer less"]
    if name.startswith("hdf5"):
        return faults
    for lost in ("options and weights exchanged", "a dataset was never written"):
        del faults[lost]
    if name.startswith("torch"):
        faults["a bit flipped"] = Fault(partial(f.flip_bit, variable=stored), errors.CorruptFileError)
        faults["no weights"] = Fault(partial(f.remove_file, file=STATE_DICT), errors.MissingFileError)
        has_options = name == "torch"
        return {lost: fault for lost, fault in faults.items() if has_options or "options" not in lost}
    if naming.id == "bilm-tf":
        del faults["the options are those for training"]  # as they should be
    else:
        faults["no options"] = Fault(partial(f.remove_file, file=OPTIONS_NAME), errors.VariableMismatchError)
    faults["no weights"] = Fault(f.remove_file, errors.CheckpointNotFoundError)
    faults["a bit flipped"] = Fault(partial(f.flip_bit, variable=stored), errors.CorruptFileError)
    faults["the index file of another training"] = Fault(f.swap_index, errors.CorruptFileError)
    return faults
