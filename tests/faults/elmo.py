"""The faults of an ELMo, of the catalogue."""

from __future__ import annotations

import gzip
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload import check_elmo, errors, testing
from safeload._bytes.files import FileRef
from safeload._bytes.tfhub import name_of
from safeload.elmo._options import validate_options
from safeload.lock import LOCK_NAME
from safeload.testing import ELMO_FAULTS
from safeload.testing._allennlp import SCOPE, module_values
from safeload.testing._bundle import write_checkpoint
from safeload.testing._editing import edit_tensors
from safeload.testing._torch import write_torch
from tests.elmos import OPTIONS, OPTIONS_NAME, WEIGHTS_NAME, options, random_datasets, write_weights
from tests.faults.fault import (
    LFS,
    XML,
    Fault,
    PathOf,
    bytes_of,
    fifo,
    flip,
    in_subfolder,
    lock,
    of_the_kit,
    remove,
    rename,
    then,
    write,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CELL = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"
BIAS, PROJECTION = "CNN/b_cnn_0", "CNN_proj/W_proj"


def edited(**changes: dict[str, object]) -> Callable[[Path], object]:
    """Change keys of the options; None removes one."""
    return write(OPTIONS_NAME, json.dumps(options(**changes)))


def other_options(value: object) -> Callable[[Path], object]:
    """Write other options."""
    return write(OPTIONS_NAME, json.dumps(value))


def datasets(change: Callable[[dict[str, Any]], object], **changes: dict[str, object]) -> Callable[[Path], object]:
    """Write the weights of other options, changed, and leave the options file as it is."""

    def spoil(folder: Path) -> None:
        values = random_datasets(options(**changes))
        change(values)
        write_weights(folder / WEIGHTS_NAME, values)

    return spoil


def only(values: dict[str, Any]) -> Callable[[Path], object]:
    """Write other datasets alone."""
    return lambda folder: write_weights(folder / WEIGHTS_NAME, values)


def hdf5(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    """Change the weight file through h5py."""

    def spoil(folder: Path) -> None:
        with h5py.File(folder / WEIGHTS_NAME, "a") as file:
            change(file)

    return spoil


def replaced(name: str, **create: Any) -> Callable[[Path], object]:
    """Put a dataset into the place of a good one."""

    def change(file: h5py.File) -> None:
        values = file[name][...]
        del file[name]
        file.create_dataset(name, **({"data": values} if "shape" not in create else {}), **create)

    return hdf5(change)


def converted(kind: str) -> Callable[[Path], object]:
    """Store every dataset in another type."""
    return datasets(lambda values: values.update({name: value.astype(kind) for name, value in values.items()}))


def with_value(name: str, value: float) -> Callable[[dict[str, Any]], object]:
    """Put `value` into the first two places."""
    return lambda values: values[name].reshape(-1).__setitem__(slice(2), value)


def without(part: str) -> Callable[[dict[str, Any]], object]:
    """Drop the datasets whose name has `part` in it."""
    return lambda values: [values.pop(name) for name in list(values) if part in name]


def state_dict(file: str, name: str) -> Callable[[Path], object]:
    """Write a state dict of one tensor."""
    return lambda folder: write_torch(folder / file, {name: np.ones((2, 3), np.float32)})


def of_allennlp(folder: Path) -> None:
    """Replace the ELMo by the model of AllenNLP with the same one."""
    for name in (OPTIONS_NAME, WEIGHTS_NAME):
        (folder / name).unlink()
    testing.write_elmo(folder, form="torch/model")


def two_elmos(folder: Path) -> None:
    """Write the state dict of a model with two ELMos."""
    valid = validate_options(OPTIONS, FileRef(path="", role="options"))
    values = module_values(random_datasets(), valid)
    scopes = [SCOPE.replace("elmo.", f"elmo_{word}.", 1) for word in ("a", "b")]
    write_torch(folder / "weights.th", {scope + name: each for scope in scopes for name, each in values.items()})


def options_of_two(folder: Path) -> None:
    """Archive the options of two ELMos, as AllenNLP before 1.0 did."""
    (folder / "fta").mkdir()
    for number, name in enumerate(("a", "b")):
        text = json.dumps(options(lstm={"n_layers": 2 + number}))
        (folder / "fta" / f"model.text_field_embedder.{name}.options_file").write_text(text, encoding="utf-8")


def link(kind: Callable[[], Any]) -> Callable[[Path], object]:
    """Put a link into the place of a dataset."""

    def change(file: h5py.File) -> None:
        del file[BIAS]
        file[BIAS] = kind()

    return hdf5(change)


def virtual(file: h5py.File) -> None:
    """Let a dataset's values lie in other files' datasets."""
    del file[BIAS]
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.hdf5", "secret", (4,))
    file.create_virtual_dataset(BIAS, layout)


def with_filter(file: h5py.File) -> None:
    """Ask for a filter that no HDF5 library has of its own."""
    del file[BIAS]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    h5py.h5d.create(file.id, BIAS.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)


def many(file: h5py.File) -> None:
    """Make more groups than any weight file has."""
    for number in range(10_001):
        file.create_group(f"g{number}")


def partly(file: h5py.File) -> None:
    """Write one of four chunks."""
    del file[f"{CELL}/B"]
    file.create_dataset(f"{CELL}/B", (48,), "f4", chunks=(12,))[:12] = 1


def checksummed(folder: Path) -> None:
    """Store a dataset with a checksum, then change one of its bytes."""
    replaced(PROJECTION, chunks=(18, 8), fletcher32=True)(folder)
    with h5py.File(folder / WEIGHTS_NAME) as file:
        place = file[PROJECTION].id.get_chunk_info(0).byte_offset
    flip(WEIGHTS_NAME, place + 5)(folder)


def written_by_a_running_program(folder: Path) -> None:
    """Leave the mark of a writer that has the file open."""
    with h5py.File(folder / WEIGHTS_NAME, "w", libver="latest") as file:
        for name, value in random_datasets().items():
            file[name] = value
        file.swmr_mode = True
        file.flush()
        data = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(data)


def training(folder: Path) -> None:
    """Put a training checkpoint of bilm-tf into the place of a good ELMo."""
    remove(OPTIONS_NAME, WEIGHTS_NAME)(folder)
    testing.write_elmo(folder, form="tensorflow")


def module(folder: Path) -> None:
    """Put a TF-Hub module into the place of a good ELMo."""
    remove(OPTIONS_NAME, WEIGHTS_NAME)(folder)
    testing.write_elmo(folder, form="tensorflow/tf-hub")


def with_a_row_more(tensors: dict[str, Any]) -> None:
    """Put the last character before the first, too."""
    tensors["bilm/char_embed"] = np.concatenate([tensors["bilm/char_embed"][-1:], tensors["bilm/char_embed"]])


def cache(folder: Path) -> None:
    """Lay out a cache of TF-Hub with two versions of a module, one of which has its descriptor."""
    remove(OPTIONS_NAME, WEIGHTS_NAME)(folder)
    handle = "https://tfhub.dev/google/elmo/3"
    testing.write_elmo(folder / name_of(handle), form="tensorflow/tf-hub")
    testing.write_elmo(folder / ("0" * 40), form="tensorflow/tf-hub")
    write(f"{name_of(handle)}.descriptor.txt", f"Module: {handle}\nDownload Time: 2020-01-01\n")(folder)


def files(**contents: bytes) -> Callable[[Path], object]:
    """Write files whose names have `__` for a dot, and take the good ones away."""
    steps = [write(name.replace("__", "."), content) for name, content in contents.items()]
    return then(remove(OPTIONS_NAME, WEIGHTS_NAME), *steps)


BOTH = {"options_file": f"{{}}/{OPTIONS_NAME}", "weight_file": f"{{}}/{WEIGHTS_NAME}"}
WORDS = {"embedding": np.ones((9, 8), "f4"), f"{CELL}/B": np.ones(48, "f4")}
MANY_LANGS = {"encoder": {"name": "elmo"}, "token_embedder": {"name": "cnn"}, "max_characters_per_token": 50}
BERT_CONFIG = {"hidden_size": 16, "num_hidden_layers": 2, "vocab_size": 30}
ARCHIVE_CONFIG = {"dataset_reader": {"type": "srl"}, "model": {"type": "srl"}}
Wrong, Missing, Config = errors.WrongFileKindError, errors.MissingFileError, errors.ConfigError
Corrupt, Unsafe, Mismatch, Path_ = (
    errors.CorruptFileError,
    errors.UnsafeFileError,
    errors.VariableMismatchError,
    errors.InvalidPathError,
)

row = partial(Fault, model="elmo")
reported = partial(row, has_message=False)

FAULTS = [
    *of_the_kit("elmo", ELMO_FAULTS, {
        "no options": (OPTIONS_NAME,),
        "no weights": (WEIGHTS_NAME,),
        "options and weights exchanged": (OPTIONS_NAME,),
        "the weights are cut": (WEIGHTS_NAME, "C11"),
        "the weights are an LFS pointer": (WEIGHTS_NAME,),
        "the weights are an HTML page": (WEIGHTS_NAME,),
        "the options are an HTML page": (OPTIONS_NAME,),
        "NaN in the weights": (WEIGHTS_NAME,),
        "a dataset was never written": (WEIGHTS_NAME,),
        "the options lack a key": (OPTIONS_NAME,),
        "the options are those for training": (OPTIONS_NAME, "I3"),
        "the options have a layer more": (WEIGHTS_NAME,),
        "the options have a layer less": (WEIGHTS_NAME,),
        "the options are of another size": (WEIGHTS_NAME,),
        "a dataset is missing": (WEIGHTS_NAME,),
        "a dataset has another name": (WEIGHTS_NAME,),
        "a dataset has one value": (WEIGHTS_NAME,),
    }),
    # the path's text
    row(name="options_none", error=Path_, path=None, call={"options_file": None}),
    row(name="options_empty_path", error=Path_, path=None, call={"options_file": " "}),
    row(name="weights_is_a_number", error=Path_, path=None, call={"weight_file": 3}),
    row(name="weights_path_object_that_is_none", error=Path_, path=None, call={"weight_file": PathOf(3)}),
    row(name="path_with_nul", error=Path_, path=None, call={"weight_file": "{}/a\0b"}),
    row(name="path_with_unset_variable", error=Path_, path=None, call={"options_file": "$SAFELOAD_UNSET/elmo"}),
    row(name="address_of_another_kind", error=Path_, path=None, call={"weight_file": "nowhere://host/weights.hdf5"}),
    # nothing there
    row(name="folder_missing", error=Missing, path="modells/elmo", call={"options_file": "{}/modells/elmo"}),
    row(name="options_misspelt", error=Missing, path="option.json", call={"options_file": "{}/option.json"}),
    row(name="options_is_a_broken_link", error=Missing, path=OPTIONS_NAME,
        spoil=then(remove(OPTIONS_NAME), lambda folder: (folder / OPTIONS_NAME).symlink_to("gone.json")), call=BOTH),
    row(name="weights_misspelt", error=Missing, path="weight.hdf5", call={"weight_file": "{}/weight.hdf5"}),
    row(name="weights_with_a_space_behind", error=Missing, path=f"{WEIGHTS_NAME} ", call={"weight_file": f"{{}}/{WEIGHTS_NAME} "}),
    row(name="folder_one_level_too_high", error=Missing, path=OPTIONS_NAME, spoil=in_subfolder(OPTIONS_NAME, WEIGHTS_NAME)),
    row(name="options_are_a_zip", error=Missing, path="elmo.zip/options.json", spoil=zipped("elmo.zip", "readme.md"),
        call={"options_file": "{}/elmo.zip"}),
    row(name="folder_with_two_options", error=Config, path="",
        spoil=then(rename(OPTIONS_NAME, "a_options.json"), write("b_options.json", "{}"))),
    row(name="folder_with_two_weights", error=errors.AmbiguousCheckpointError, path="",
        spoil=then(rename(WEIGHTS_NAME, "a_weights.hdf5"), write("b_weights.hdf5", b"\x89HDF\r\n\x1a\n"))),
    # the vocabulary
    row(name="vocabulary_is_not_utf8", error=errors.VocabularyError, path="vocab.txt", spoil=write("vocab.txt", b"<S>\n</S>\ncaf\xe9\n")),
    row(name="vocabulary_is_an_lfs_pointer", error=Wrong, path="vocab.txt", spoil=write("vocab.txt", LFS)),
    row(name="compressed_vocabulary_is_cut", error=Corrupt, path="vocab.txt.gz", spoil=write("vocab.txt.gz", gzip.compress(b"<S>\n</S>\n<UNK>\n", mtime=0)[:-9])),
    # another model's folder
    row(name="folder_of_many_langs", error=Wrong, path="", spoil=files(config__json=b"{}", encoder__pkl=b"\x80\x02", token_embedder__pkl=b"\x80\x02"), reports=("I8", "I9", "I10")),
    row(name="folder_of_tf_hub", error=Wrong, path="", spoil=files(saved_model__pb=b"\x08\x01", tfhub_module__pb=b"\x08\x03")),
    row(name="module_of_another_size_without_options", error=Mismatch, path="variables/variables", spoil=then(module, remove(OPTIONS_NAME))),
    row(name="module_whose_first_character_is_not_padding", error=Mismatch, path="variables/variables",
        spoil=then(module, lambda folder: edit_tensors(folder, with_a_row_more))),
    row(name="module_without_a_shard", error=errors.CheckpointNotFoundError, path="variables/variables.data-00000-of-00001",
        spoil=then(module, remove("variables/variables.data-00000-of-00001"))),
    row(name="cache_of_tf_hub_with_two_elmos", error=errors.AmbiguousCheckpointError, path="", spoil=cache),
    row(name="folder_of_a_bert", error=Wrong, path="", spoil=files(bert_config__json=b"{}", vocab__txt=b"a\n")),
    # another kind of file
    row(name="exchanged_arguments", error=Wrong, path=WEIGHTS_NAME,
        call={"options_file": f"{{}}/{WEIGHTS_NAME}", "weight_file": f"{{}}/{OPTIONS_NAME}"}, reports=("I7",)),
    row(name="options_is_the_weight_file", error=Wrong, path=WEIGHTS_NAME, call={"options_file": f"{{}}/{WEIGHTS_NAME}"}),
    row(name="weights_is_the_options_file", error=Wrong, path=OPTIONS_NAME,
        call={"options_file": f"{{}}/{OPTIONS_NAME}", "weight_file": f"{{}}/{OPTIONS_NAME}"}),
    row(name="options_is_an_lfs_pointer", error=Wrong, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, LFS)),
    row(name="options_is_empty", error=Wrong, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, "")),
    row(name="options_is_utf16", error=Wrong, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, json.dumps(OPTIONS).encode("utf-16"))),
    row(name="options_is_a_fifo", error=Unsafe, path=OPTIONS_NAME,
        spoil=fifo(OPTIONS_NAME), call=BOTH),
    row(name="weights_is_an_lfs_pointer", error=Wrong, path=WEIGHTS_NAME, spoil=write(WEIGHTS_NAME, LFS)),
    row(name="weights_is_an_xml_error", error=Wrong, path=WEIGHTS_NAME, spoil=write(WEIGHTS_NAME, XML), reports=("C1",)),
    row(name="weights_is_empty", error=Wrong, path=WEIGHTS_NAME, spoil=write(WEIGHTS_NAME, "")),
    row(name="weights_is_an_archive", error=Wrong, path="model.tar.gz", spoil=write("model.tar.gz", gzip.compress(b"weights", mtime=0)),
        call={"weight_file": "{}/model.tar.gz"}, reports=("I12",)),
    row(name="training_that_lost_a_variable", error=Mismatch, path="model.ckpt-1000",
        spoil=then(training, lambda folder: testing.drop_variable(folder, "lm/CNN_proj/W_proj"))),
    row(name="training_with_options_of_three_layers", error=Mismatch, path="model.ckpt-1000",
        spoil=then(training, lambda folder: testing.edit_config(folder, lstm={"n_layers": 3}))),
    row(name="training_without_its_index_file", error=errors.CheckpointNotFoundError, path="model.ckpt-1000.index",
        spoil=then(training, remove("model.ckpt-1000.index"))),
    row(name="training_of_a_bilm_of_words", error=Wrong, path="model.ckpt-9", call={"weight_file": "{}/model.ckpt-9"},
        spoil=lambda folder: write_checkpoint(folder / "model.ckpt-9", {"lm/embedding": np.ones((9, 8), np.float32), "lm/RNN_0/rnn/lstm_cell/bias": np.ones(48, np.float32)})),
    row(name="weights_is_a_checkpoint_of_a_bert", error=Wrong, path="model.ckpt-9",
        spoil=lambda folder: write_checkpoint(folder / "model.ckpt-9", {"bert/embeddings/word_embeddings": np.zeros((9, 4), np.float32)}),
        call={"weight_file": "{}/model.ckpt-9.index"}),
    row(name="handle_of_tf_hub", error=errors.InvalidPathError, path=None, call={"options_file": "https://tfhub.dev/google/elmo/3"}),
    row(name="weights_is_a_state_dict_of_a_bert", error=Wrong, path="pytorch_model.bin",
        spoil=state_dict("pytorch_model.bin", "bert.embeddings.word_embeddings.weight"), call={"weight_file": "{}/pytorch_model.bin"}),
    row(name="weights_is_of_elmo_for_many_langs", error=Wrong, path="encoder.pkl",
        spoil=state_dict("encoder.pkl", "forward_layer_0.input_linearity.weight"), call={"weight_file": "{}/encoder.pkl"}),
    row(name="weights_is_a_transformer_elmo", error=Wrong, path="weights.th",
        spoil=state_dict("weights.th", "_contextualizer._forward_transformer.layers.0.self_attn.linears.0.weight"),
        call={"weight_file": "{}/weights.th"}),
    row(name="weights_is_of_openai", error=Wrong, path="weights.th", spoil=state_dict("weights.th", "transformer.h.0.attn.c_attn.weight"),
        call={"weight_file": "{}/weights.th"}),
    row(name="state_dict_without_an_elmo", error=Mismatch, path="weights.th", spoil=state_dict("weights.th", "classifier.weight"),
        call={"weight_file": "{}/weights.th"}),
    row(name="model_of_allennlp_with_two_elmos", error=errors.AmbiguousCheckpointError, path="weights.th", spoil=two_elmos,
        call={"options_file": "{}/weights.th"}),
    row(name="model_of_allennlp_without_its_weights", error=errors.MissingFileError, path="weights.th",
        spoil=then(of_allennlp, remove("weights.th"))),
    row(name="model_of_allennlp_with_options_of_two_elmos", error=Config, path="", spoil=then(of_allennlp, options_of_two)),
    row(name="model_of_allennlp_that_lost_a_tensor", error=Mismatch, path="weights.th",
        spoil=then(of_allennlp, lambda folder: testing.drop_variable(folder, f"{SCOPE}_token_embedder._projection.weight"))),
    row(name="model_of_allennlp_with_other_options", error=Mismatch, path="weights.th",
        spoil=then(of_allennlp, write(OPTIONS_NAME, json.dumps(options(lstm={"n_layers": 3, "dim": 16}))))),
    row(name="weights_is_a_pickle", error=Wrong, path="encoder.pkl", spoil=write("encoder.pkl", b"\x80\x02" + bytes(99)),
        call={"weight_file": "{}/encoder.pkl"}, reports=("C4",)),
    row(name="weights_is_a_numpy_file", error=Wrong, path="weights.npy", spoil=write("weights.npy", b"\x93NUMPY\x01\x00" + bytes(99)),
        call={"weight_file": "{}/weights.npy"}),
    row(name="weights_is_text", error=Wrong, path=WEIGHTS_NAME, spoil=write(WEIGHTS_NAME, "the 0.1 0.2\n" * 9)),
    row(name="weights_is_a_fifo", error=Unsafe, path=WEIGHTS_NAME,
        spoil=fifo(WEIGHTS_NAME)),
    row(name="weights_that_the_system_cannot_read", error=errors.FileSystemError, path="mem",
        spoil=lambda folder: (folder / "mem").symlink_to("/proc/self/mem"), call={"weight_file": "{}/mem"}, reports=("C13",)),
    # the options
    row(name="options_not_json", error=Config, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, '{"lstm": {dim: 12}}')),
    row(name="options_is_a_list", error=Config, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, "[1]")),
    row(name="options_with_a_key_twice", error=Config, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, '{"lstm": {}, "lstm": {}}')),
    row(name="options_with_no_keys", error=Config, path=OPTIONS_NAME, spoil=write(OPTIONS_NAME, "{}")),
    row(name="options_with_parts_that_are_no_objects", error=Config, path=OPTIONS_NAME, spoil=other_options({"lstm": 3, "char_cnn": [1]})),
    row(name="options_with_other_characters", error=Config, path=OPTIONS_NAME, spoil=edited(char_cnn={"n_characters": 5000})),
    row(name="options_with_forty_characters_a_token", error=Config, path=OPTIONS_NAME, spoil=edited(char_cnn={"max_characters_per_token": 40})),
    reported(name="options_with_thirty_characters_a_token", error=Config, path=OPTIONS_NAME,
             spoil=edited(char_cnn={"max_characters_per_token": 30}), reports=("I4",)),
    row(name="options_without_skip_connections_key", error=Config, path=OPTIONS_NAME, spoil=edited(lstm={"use_skip_connections": None}), reports=("I5",)),
    row(name="options_with_quoted_number", error=Config, path=OPTIONS_NAME, spoil=edited(lstm={"dim": "12"})),
    row(name="options_with_many_bad_keys", error=Config, path=OPTIONS_NAME,
        spoil=edited(lstm={"dim": 0, "n_layers": True, "cell_clip": 0, "proj_clip": "3", "use_skip_connections": "yes"},
                     char_cnn={"activation": "gelu", "n_highway": -1, "embedding": 5, "n_characters": None})),
    row(name="options_with_bad_filters", error=Config, path=OPTIONS_NAME, spoil=edited(char_cnn={"filters": [[1, 4], [2], [60, 8], "3"]})),
    row(name="options_without_filters", error=Config, path=OPTIONS_NAME, spoil=edited(char_cnn={"filters": None})),
    row(name="options_of_one_direction", error=Config, path=OPTIONS_NAME, spoil=other_options({**OPTIONS, "bidirectional": False})),
    row(name="options_of_a_bilm_of_words", error=Config, path=OPTIONS_NAME, spoil=other_options({"lstm": OPTIONS["lstm"], "n_tokens_vocab": 9})),
    row(name="options_of_many_langs", error=Config, path=OPTIONS_NAME, spoil=other_options(MANY_LANGS)),
    row(name="options_of_bert", error=Config, path=OPTIONS_NAME, spoil=other_options(BERT_CONFIG)),
    row(name="options_of_a_training_run", error=Config, path=OPTIONS_NAME, spoil=other_options(ARCHIVE_CONFIG)),
    # damaged bytes
    row(name="weights_cut_by_one_byte", error=Corrupt, path=WEIGHTS_NAME, spoil=bytes_of(WEIGHTS_NAME, lambda data: data[:-1])),
    reported(name="weights_cut_to_5000_bytes", error=Corrupt, path=WEIGHTS_NAME, spoil=partial(testing.truncate, keep=5000), reports=("C5",)),
    row(name="weights_cut_inside_the_first_block", error=Corrupt, path=WEIGHTS_NAME, spoil=bytes_of(WEIGHTS_NAME, lambda data: data[:30])),
    row(name="weights_still_being_written", error=Corrupt, path=WEIGHTS_NAME, spoil=written_by_a_running_program),
    row(name="weights_with_a_damaged_structure", error=Corrupt, path=WEIGHTS_NAME, spoil=bytes_of(WEIGHTS_NAME, lambda data: data[:96] + bytes(40) + data[136:])),
    row(name="weights_with_nan", error=Corrupt, path=WEIGHTS_NAME, spoil=datasets(with_value("char_embed", float("nan")))),
    reported(name="projection_with_nan", error=Corrupt, path=WEIGHTS_NAME, spoil=partial(testing.poison, name=PROJECTION), reports=("C10",)),
    row(name="weights_with_infinity", error=Corrupt, path=WEIGHTS_NAME, spoil=datasets(with_value(f"{CELL}/W_0", float("-inf")))),
    row(name="dataset_never_written", error=Corrupt, path=WEIGHTS_NAME, spoil=replaced(BIAS, shape=(4,), dtype="f4")),
    row(name="dataset_partly_written", error=Corrupt, path=WEIGHTS_NAME, spoil=hdf5(partly)),
    row(name="dataset_with_a_wrong_checksum", error=Corrupt, path=WEIGHTS_NAME, spoil=checksummed),
    # what no weight file needs
    row(name="soft_link", error=Unsafe, path=WEIGHTS_NAME, spoil=link(lambda: h5py.SoftLink("/CNN/b_cnn_1")), what="a dataset is a soft link"),
    row(name="external_link", error=Unsafe, path=WEIGHTS_NAME, spoil=link(lambda: h5py.ExternalLink("other.hdf5", "/secret"))),
    row(name="external_storage", error=Unsafe, path=WEIGHTS_NAME, spoil=replaced(BIAS, shape=(4,), dtype="f4", external=[("/etc/hostname", 0, 16)]), what="the values of a dataset are stored in /etc/hostname"),
    row(name="virtual_dataset", error=Unsafe, path=WEIGHTS_NAME, spoil=hdf5(virtual), what="the values of a dataset are stored in another HDF5 file"),
    row(name="unknown_filter", error=Unsafe, path=WEIGHTS_NAME, spoil=hdf5(with_filter), what="a filter that a plugin would run"),
    row(name="size_bomb", error=Unsafe, path=WEIGHTS_NAME, spoil=replaced(BIAS, shape=(1 << 38,), dtype="f4", chunks=(1 << 20,)), what="a chunked dataset of 1 TB that was never written"),
    row(name="named_type", error=Unsafe, path=WEIGHTS_NAME, spoil=hdf5(lambda file: file.__setitem__("kind", np.dtype("f8")))),
    row(name="groups_nested_deep", error=Unsafe, path=WEIGHTS_NAME, spoil=hdf5(lambda file: file.create_group("/".join("a" * 20))), what="groups nested twenty deep"),
    row(name="ten_thousand_groups", error=Unsafe, path=WEIGHTS_NAME, spoil=hdf5(many), what="ten thousand groups"),
    # another model's datasets
    row(name="weights_of_a_bilm_of_words", error=Wrong, path=WEIGHTS_NAME, spoil=only(WORDS)),
    row(name="weights_is_a_file_of_embeddings", error=Wrong, path=WEIGHTS_NAME,
        spoil=only({"0": np.ones((3, 4, 16), "f4"), "1": np.ones((3, 2, 16), "f4"), "sentence_to_index": "{}"}), reports=("I1",)),
    row(name="weights_saved_by_keras", error=Wrong, path=WEIGHTS_NAME, spoil=only({"model_weights/dense/kernel:0": np.ones((3, 4), "f4")})),
    row(name="weights_of_something_else", error=Mismatch, path=WEIGHTS_NAME, spoil=only({"conv1/weights": np.ones(3, "f4")})),
    # datasets that do not fit
    row(name="file_has_a_highway_more", error=Mismatch, path=WEIGHTS_NAME, spoil=edited(char_cnn={"n_highway": 1})),
    row(name="file_has_a_highway_less", error=Mismatch, path=WEIGHTS_NAME, spoil=edited(char_cnn={"n_highway": 3})),
    row(name="file_has_a_filter_more", error=Mismatch, path=WEIGHTS_NAME, spoil=edited(char_cnn={"filters": [[1, 4], [2, 6]]})),
    row(name="options_with_another_projection", error=Mismatch, path=WEIGHTS_NAME, spoil=edited(lstm={"projection_dim": 10})),
    reported(name="options_of_a_larger_model", error=Mismatch, path=WEIGHTS_NAME,
             spoil=edited(lstm={"dim": 24, "projection_dim": 16}), reports=("I6",)),
    row(name="trained_without_projections", error=Mismatch, path=WEIGHTS_NAME,
        spoil=then(edited(lstm={"dim": 8}), datasets(without("W_P_0"), lstm={"dim": 8}))),
    reported(name="weights_without_projections", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(without("W_P_0")), reports=("I2",)),
    row(name="trained_without_projection_of_the_filters", error=Mismatch, path=WEIGHTS_NAME,
        spoil=then(edited(lstm={"projection_dim": 18}), datasets(without("CNN_proj"), lstm={"projection_dim": 18}))),
    row(name="char_embed_with_a_row_more", error=Mismatch, path=WEIGHTS_NAME,
        spoil=datasets(lambda values: values.update(char_embed=np.ones((262, 5), "f4")))),
    row(name="bias_of_one_value", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(lambda values: values.update({BIAS: np.ones(1, "f4")})), reports=("G5",)),
    row(name="bias_that_is_a_scalar", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(lambda values: values.update({BIAS: np.float32(1)}))),
    row(name="weights_in_integers", error=Mismatch, path=WEIGHTS_NAME, spoil=converted("i4")),
    row(name="weights_in_doubles_that_are_no_floats", error=Mismatch, path=WEIGHTS_NAME,
        spoil=datasets(lambda values: values.update({BIAS: values[BIAS].astype(np.float64) + 1e-12}))),
    row(name="dataset_of_strings", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(lambda values: values.update({BIAS: ["a", "b", "c", "d"]}))),
    row(name="dataset_of_records", error=Mismatch, path=WEIGHTS_NAME,
        spoil=datasets(lambda values: values.update({BIAS: np.zeros(4, [("a", "f4")])}))),
    row(name="dataset_of_nothing", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(lambda values: values.update({BIAS: h5py.Empty("f4")}))),
    row(name="unknown_dataset", error=Mismatch, path=WEIGHTS_NAME, spoil=datasets(lambda values: values.update(adapter=np.ones(3, "f4")))),
    row(name="group_in_a_datasets_place", error=Mismatch, path=WEIGHTS_NAME,
        spoil=hdf5(lambda file: (file.__delitem__(BIAS), file.create_group(BIAS)))),
    # the lock
    row(name="locked_options_changed", error=errors.LockError, path=LOCK_NAME, spoil=then(lock(check_elmo), flip(OPTIONS_NAME, 0))),
    reported(name="locked_weights_with_a_flipped_bit", error=errors.LockError, path=LOCK_NAME,
             spoil=then(lock(check_elmo), partial(testing.flip_bit, variable=PROJECTION)), reports=("C9",)),
    row(name="locked_weights_missing", error=Missing, path=WEIGHTS_NAME, spoil=then(lock(check_elmo), remove(WEIGHTS_NAME))),
    row(name="lock_of_a_bert", error=errors.LockError, path=LOCK_NAME, spoil=lock(check_elmo, lambda text: text.replace("ELMo", "BERT"))),
]  # fmt: skip
