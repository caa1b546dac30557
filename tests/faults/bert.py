"""The faults of a BERT, of the catalogue."""

from __future__ import annotations

import json
import os
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from safeload import check_bert, errors, testing
from safeload.lock import LOCK_NAME
from safeload.testing import BERT_FAULTS
from safeload.testing._bundle import write_checkpoint as write_bundle
from safeload.testing._elmo_forms import write_weights
from safeload.testing._forms import write_form
from safeload.testing._torch import write_members
from tests.checkpoints import BERT_CONFIG, PREFIX, SHARD, bert_tensors, write_checkpoint, write_sharded
from tests.checkpoints import TOKENS as BERT_TOKENS
from tests.faults.fault import (
    HTML,
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
from tests.signatures.bundles import BUNDLE, PUBLIC_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG_NAME, VOCAB, INDEX = "bert_config.json", "vocab.txt", f"{PREFIX}.index"
TOKENS = [*BERT_TOKENS, *(f"word{number}" for number in range(20))]
FIRST, QUERY = "bert/embeddings/word_embeddings", "bert/encoder/layer_0/attention/self/query/kernel"


def config(**changes: object) -> Callable[[Path], object]:
    """Change keys of the config; None removes one."""
    merged = {key: value for key, value in {**BERT_CONFIG, **changes}.items() if value is not None}
    return write(CONFIG_NAME, json.dumps(merged))


def listed_by_keras(group: str, attribute: str, one: str, two: str) -> Callable[[Path], object]:
    """Write the good model as keras-bert saves it, and exchange two names in a list by which Keras loads it."""

    def make(folder: Path) -> None:
        write_form(folder, "hdf5/keras-bert", BERT_CONFIG, bert_tensors())
        with h5py.File(folder / "model.h5", "a") as file:
            other = {one.encode(): two.encode(), two.encode(): one.encode()}
            file[group].attrs[attribute] = [other.get(name, name) for name in file[group].attrs[attribute]]

    return make


def numbered_by_keras(group: str) -> Callable[[Path], object]:
    """Write the good model as `save_weights` numbers its layers, with a layer more."""

    def make(folder: Path) -> None:
        write_form(folder, "keras", BERT_CONFIG, bert_tensors())
        with zipfile.ZipFile(folder / "model.keras") as archive:
            archive.extract("model.weights.h5", folder)
        with h5py.File(folder / "model.weights.h5", "a") as file:
            for number, shape in enumerate(((16, 16), (16,))):
                file[f"layers/{group}/vars/{number}"] = np.ones(shape, np.float32)

    return make


def tokens(change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    """Change the vocabulary's lines."""
    return write(VOCAB, "\n".join(change(list(TOKENS))) + "\n")


def checkpoint(change: Callable[[dict[str, Any]], dict[str, Any]], **sizes: int) -> Callable[[Path], object]:
    """Write another checkpoint in place of the good one."""
    return lambda folder: write_checkpoint(folder / PREFIX, change(bert_tensors({**BERT_CONFIG, **sizes})))


def renamed(rule: Callable[[str], str]) -> Callable[[Path], object]:
    """Write the checkpoint with other names."""
    return checkpoint(lambda tensors: {rule(name): value for name, value in tensors.items()})


def without(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Drop the variables whose name has `part` in it."""
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def with_value(name: str, value: Callable[[Any], Any]) -> Callable[[Path], object]:
    """Change one variable."""
    return checkpoint(lambda tensors: {**tensors, name: value(tensors[name])})


def poisoned(value: float) -> Callable[[Any], Any]:
    """Put `value` into the first two places."""
    return lambda array: np.concatenate([np.full(2, value, np.float32), array.ravel()[2:]]).reshape(array.shape)


def second_checkpoint(folder: Path) -> None:
    """Put another checkpoint beside the first."""
    write_checkpoint(folder / "model.ckpt-20", bert_tensors())


def two_shards(folder: Path) -> None:
    """Write the checkpoint in two shards: BERT, and what only training reads."""
    tensors = bert_tensors()
    heads = {name: value for name, value in tensors.items() if name.startswith("cls/")}
    (folder / SHARD).unlink()
    write_sharded(folder / PREFIX, {name: v for name, v in tensors.items() if name not in heads}, heads)


def transformers_too(folder: Path, **sizes: int) -> None:
    """Write a BERT of transformers into the same folder."""
    testing.write_bert(folder, form="safetensors", **sizes)


def shards_alone(folder: Path) -> None:
    """Leave two shards of a BERT of transformers, and its config."""
    for path in folder.iterdir():
        path.unlink()
    transformers_too(folder)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00003.safetensors")
    (folder / "model-00002-of-00003.safetensors").touch()


def cached(folder: Path) -> None:
    """Move the model into a snapshot of a Hugging Face cache."""
    snapshot = folder / "hub/models--me--mine/snapshots/0a1b"
    snapshot.mkdir(parents=True)
    for name in (INDEX, SHARD, VOCAB):
        (folder / name).rename(snapshot / name)


def state(text: str) -> Callable[[Path], object]:
    """Write a checkpoint state file."""
    return write("checkpoint", text)


CKPT = {"checkpoint_file": f"{{}}/{PREFIX}"}
SECOND_SHARD = f"{PREFIX}.data-00001-of-00002"
Wrong, Missing, Config = errors.WrongFileKindError, errors.MissingFileError, errors.ConfigError
NotFound, Corrupt, Unsafe = errors.CheckpointNotFoundError, errors.CorruptFileError, errors.UnsafeFileError
LOCKED = lock(check_bert)
SIGNATURE = "model.sig"
SIGNED = {"signature": "{}/model.sig", "signed_by": "{}/key.pem"}
Mismatch, Path_, Vocab = errors.VariableMismatchError, errors.InvalidPathError, errors.VocabularyError
Lacking = errors.MissingDependencyError

row = partial(Fault, model="bert")
reported = partial(row, has_message=False)

FAULTS = [
    *of_the_kit("bert", BERT_FAULTS, {
        "no config": (CONFIG_NAME,),
        "no index file": ("",),
        "a data shard is missing": (f"{PREFIX}.data-00000-of-00002",),
        "the shard is cut": (SHARD,),
        "the index file is cut": (INDEX,),
        "a bit flipped": (SHARD,),
        "the index file of another training": (SHARD, "A11"),
        "NaN in the weights": (SHARD,),
        "infinity in the weights": (SHARD,),
        "the shard is an LFS pointer": (SHARD, "C3"),
        "the config is an LFS pointer": (CONFIG_NAME,),
        "the index file is an HTML page": (INDEX,),
        "the config is an HTML page": (CONFIG_NAME, "C2"),
        "the config lacks a key": (CONFIG_NAME,),
        "the config has a quoted number": (CONFIG_NAME,),
        "the config is of another model": (CONFIG_NAME,),
        "the config has a layer more": (PREFIX,),
        "the config has a layer less": (PREFIX, "D3"),
        "the config is of another size": (PREFIX,),
        "a variable is missing": (PREFIX,),
        "a variable has another name": (PREFIX,),
        "a variable has another shape": (PREFIX,),
        "the vocabulary has a token twice": (VOCAB,),
        "the vocabulary has a token more": (VOCAB,),
        "the vocabulary lacks the special tokens": (VOCAB,),
        "the vocabulary is not UTF-8": (VOCAB,),
    }),
    # the path's text
    row(name="config_none", error=Path_, path=None, call={"config_file": None}, reports=("A7",)),
    row(name="config_empty", error=Path_, path=None, call={"config_file": ""}),
    row(name="config_is_a_number", error=Path_, path=None, call={"config_file": 3}),
    reported(name="checkpoint_is_a_number", error=Path_, path=None, call={"checkpoint_file": 3}, reports=("B8",)),
    row(name="path_with_nul", error=Path_, path=None, call={"config_file": "{}/a\0b"}),
    row(name="path_with_tab_from_a_backslash", error=Path_, path=None, call={"config_file": "C:\new\table"}, reports=("B7",)),
    row(name="path_with_unset_variable", error=Path_, path=None, call={"config_file": "$SAFELOAD_UNSET/model"}),
    row(name="path_of_an_unknown_home", error=Path_, path=None, call={"config_file": "~nobody-here/model"}),
    row(name="remote_address", error=Lacking, path=None, call={"checkpoint_file": "gs://bucket/bert_model.ckpt"}, reports=("B4",)),
    row(name="file_url_of_another_host", error=Path_, path=None, call={"checkpoint_file": "file://host/model"}),
    row(name="vocab_file_is_training", error=Path_, path=None, call={"vocab_file": True}),
    row(name="path_with_a_space_behind", error=NotFound, path=f"{PREFIX} .index", call={"checkpoint_file": f"{{}}/{PREFIX} "}),
    row(name="path_with_an_invisible_character", error=NotFound, path=f"\\u202a{PREFIX}.index", call={"checkpoint_file": f"{{}}/\u202a{PREFIX}"}),
    # nothing there
    row(name="config_misspelt", error=Missing, path="bert_confg.json", call={"config_file": "{}/bert_confg.json"}),
    row(name="folder_missing", error=Missing, path="modells/bert", call={"config_file": "{}/modells/bert"}),
    row(name="folder_misspelt", error=Missing, path="modell", spoil=lambda folder: (folder / "model").mkdir(),
        call={"config_file": "{}/modell"}),
    row(name="folder_misspelt_above_the_config", error=Missing, path=f"modell/{CONFIG_NAME}", spoil=in_subfolder(INDEX, SHARD),
        call={"config_file": f"{{}}/modell/{CONFIG_NAME}"}),
    row(name="folder_of_an_elmo", error=Missing, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME, INDEX, SHARD), write("options.json", "{}"), write("weights.hdf5", b"")), reports=("A22",)),
    row(name="config_one_level_deeper", error=Missing, path=CONFIG_NAME,
        spoil=then(in_subfolder(INDEX, SHARD), rename(CONFIG_NAME, f"inner/{CONFIG_NAME}"))),
    row(name="name_of_a_hub", error=Missing, path="bert-base-uncased", call={"config_file": "bert-base-uncased", "base_dir": "{}"}),
    row(name="config_is_a_broken_link", error=Missing, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME), lambda folder: (folder / CONFIG_NAME).symlink_to("gone.json"))),
    row(name="vocab_missing", error=Missing, path="vocabulary.txt", call={"vocab_file": "{}/vocabulary.txt"}),
    row(name="checkpoint_missing", error=NotFound, path="model.ckpt.index", call={"checkpoint_file": "{}/model.ckpt"}, reports=("A9",)),
    row(name="checkpoint_in_a_folder_that_is_not_there", error=NotFound, path=f"ckpt/{INDEX}",
        call={"checkpoint_file": f"{{}}/ckpt/{PREFIX}"}),
    row(name="checkpoint_prefix_cut_short", error=NotFound, path="bert_model.index", call={"checkpoint_file": "{}/bert_model"}),
    row(name="index_missing", error=NotFound, path=INDEX, spoil=remove(INDEX), call=CKPT),
    row(name="index_missing_and_the_shard_given", error=NotFound, path=INDEX, spoil=remove(INDEX),
        call={"checkpoint_file": f"{{}}/{SHARD}"}),
    row(name="index_renamed_by_a_browser", error=NotFound, path=INDEX, spoil=rename(INDEX, f"{PREFIX}(1).index"), call=CKPT, reports=("A10",)),
    row(name="shard_missing", error=NotFound, path=SHARD, spoil=remove(SHARD), call=CKPT),
    row(name="unused_shard_missing", error=NotFound, path=SECOND_SHARD, spoil=then(two_shards, remove(SECOND_SHARD)), call=CKPT),
    row(name="folder_without_checkpoint", error=NotFound, path="", spoil=remove(INDEX, SHARD)),
    row(name="folder_one_level_too_high", error=NotFound, path="", spoil=in_subfolder(INDEX, SHARD)),
    row(name="folder_with_flax_weights", error=NotFound, path="",
        spoil=then(remove(INDEX, SHARD), write("flax_model.msgpack", b"\x81")), reports=("A23",)),
    row(name="folder_of_training_without_a_config", error=Missing, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME, VOCAB), write("graph.pbtxt", ""), state(f'model_checkpoint_path: "{PREFIX}"')), reports=("A17",)),
    row(name="folder_of_a_hugging_face_cache", error=Missing, path=CONFIG_NAME, spoil=then(remove(CONFIG_NAME), cached), reports=("A15",)),
    row(name="folder_with_a_tokenizer_s_config_alone", error=Missing, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME, INDEX, SHARD), write("tokenizer_config.json", '{"do_lower_case": true}'))),
    row(name="name_of_a_hub_with_its_owner", error=Missing, path="google-bert/bert-base-uncased",
        call={"config_file": "google-bert/bert-base-uncased", "base_dir": "{}"}, reports=("A16",)),
    row(name="path_of_windows", error=NotFound, path="D:\\bert\\bert_model.ckpt.index",
        call={"checkpoint_file": "D:\\bert\\bert_model.ckpt", "base_dir": "{}"}),
    row(name="path_of_windows_with_another_name", error=NotFound, path="D:\\bert\\uncased.index",
        call={"checkpoint_file": "D:\\bert\\uncased", "base_dir": "{}"}, reports=("B11",)),
    row(name="checkpoint_with_other_token_type_ids", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {**tensors, "bert/embeddings/token_type_ids": np.ones((1, 20), np.int64)})),
    row(name="handle_of_tf_hub", error=Path_, path=None, call={"checkpoint_file": "https://tfhub.dev/google/bert_uncased_L-12_H-768_A-12/1"}, reports=("A20",)),
    row(name="folder_of_a_saved_model", error=NotFound, path="", spoil=then(remove(INDEX, SHARD), write("saved_model.pb", b"\x08\1")), reports=("A19",)),
    row(name="folder_of_a_saved_model_without_a_config", error=Missing, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME, INDEX, SHARD), write("saved_model.pb", b"\x08\1"))),
    row(name="folder_of_two_libraries", error=errors.AmbiguousCheckpointError, path="", spoil=transformers_too),
    row(name="two_configs_that_disagree", error=Config, path="config.json", spoil=then(partial(transformers_too, attention_heads=2), remove(INDEX))),
    row(name="shards_without_their_index", error=Missing, path="model.safetensors.index.json", spoil=shards_alone),
    row(name="folder_with_two_checkpoints", error=errors.AmbiguousCheckpointError, path="", spoil=second_checkpoint),
    row(name="folder_with_two_configs", error=Config, path="",
        spoil=then(rename(CONFIG_NAME, "bert_config_a.json"), write("bert_config_b.json", "{}"))),
    row(name="state_file_names_a_lost_checkpoint", error=NotFound, path="model.ckpt-9.index",
        spoil=state('model_checkpoint_path: "/home/author/model.ckpt-9"\n')),
    row(name="state_file_leads_out", error=Unsafe, path="checkpoint", spoil=state('model_checkpoint_path: "../other/model.ckpt"\n')),
    row(name="state_file_names_nothing", error=Corrupt, path="checkpoint", spoil=state("all_model_checkpoint_paths: []\n")),
    row(name="config_in_proc", error=errors.CorruptFileError, path=CONFIG_NAME,
        spoil=then(remove(CONFIG_NAME), lambda folder: (folder / CONFIG_NAME).symlink_to("/proc/self/status"))),
    row(name="path_object_that_is_none", error=Path_, path=None, call={"config_file": PathOf(3)}),
    row(name="file_url_with_an_escaped_nul", error=Path_, path=None, call={"config_file": "file:///a%00b"}),
    # another kind of file
    row(name="config_is_an_lfs_pointer", error=Wrong, path=CONFIG_NAME, spoil=write(CONFIG_NAME, LFS)),
    row(name="config_is_the_checkpoint", error=Wrong, path=INDEX, call={"config_file": f"{{}}/{INDEX}"}),
    row(name="config_is_a_prefix", error=Wrong, path=PREFIX, call={"config_file": f"{{}}/{PREFIX}"}),
    row(name="files_exchanged", error=Wrong, path=PREFIX,
        call={"config_file": f"{{}}/{PREFIX}", "checkpoint_file": f"{{}}/{CONFIG_NAME}"}),
    row(name="config_is_a_zip", error=Missing, path="model.zip/bert_config.json", spoil=zipped("model.zip", "readme.md"),
        call={"config_file": "{}/model.zip"}),
    row(name="config_is_empty", error=Wrong, path=CONFIG_NAME, spoil=write(CONFIG_NAME, "")),
    row(name="config_is_utf16", error=Wrong, path=CONFIG_NAME, spoil=write(CONFIG_NAME, json.dumps(BERT_CONFIG).encode("utf-16"))),
    row(name="config_is_a_fifo", error=Unsafe, path=CONFIG_NAME,
        spoil=fifo(CONFIG_NAME), what="the config is a FIFO"),
    row(name="config_is_huge", error=Unsafe, path=CONFIG_NAME,
        spoil=lambda folder: os.truncate(folder / CONFIG_NAME, 1 << 30)),
    row(name="index_is_an_lfs_pointer", error=Wrong, path=INDEX, spoil=write(INDEX, LFS), call=CKPT),
    row(name="index_is_an_xml_error", error=Wrong, path=INDEX, spoil=write(INDEX, XML), call=CKPT),
    row(name="shard_is_an_lfs_pointer", error=Wrong, path=SHARD, spoil=write(SHARD, LFS), call=CKPT),
    row(name="checkpoint_is_hdf5", error=Wrong, path="model.h5",
        spoil=lambda folder: write_weights(folder / "model.h5", {"model_weights/dense/kernel:0": np.ones((3, 4), "f4")}),
        call={"checkpoint_file": "{}/model.h5"}, reports=("A14",)),
    row(name="zip_is_truncated", error=Corrupt, path="uncased.zip", spoil=write("uncased.zip", b"PK\x03\x04" + bytes(99)),
        call={"config_file": "{}/uncased.zip"}),
    row(name="checkpoint_is_a_zip", error=NotFound, path="uncased.zip", spoil=zipped("uncased.zip", "readme.md"),
        call={"checkpoint_file": "{}/uncased.zip"}, reports=("A13",)),
    row(name="checkpoint_is_a_pickle_of_an_unpacked_file_of_torch", error=Wrong, path="data.pkl",
        spoil=write("data.pkl", b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\1."), call={"checkpoint_file": "{}/data.pkl"}, reports=("A18",)),
    row(name="checkpoint_is_a_whole_module_of_torch", error=Unsafe, path="pytorch_model.bin",
        spoil=lambda folder: write_members(
            folder / "pytorch_model.bin", {"data.pkl": b"\x80\x02ctransformers.models.bert.modeling_bert\nBertModel\nq\0)\x81q\1.", "version": b"3"}
        ),
        call={"checkpoint_file": "{}/pytorch_model.bin"}),
    row(name="checkpoint_is_a_torchscript_archive", error=Wrong, path="model.pt",
        spoil=lambda folder: write_members(folder / "model.pt", {"data.pkl": b"\x80\x02N.", "constants.pkl": b"\x80\x02).", "version": b"3"}),
        call={"checkpoint_file": "{}/model.pt"}),
    row(name="checkpoint_is_a_file_of_keras", error=Corrupt, path="model.keras",
        spoil=zipped("model.keras", "metadata.json"), call={"checkpoint_file": "{}/model.keras"}, reports=("A21",)),
    row(name="layers_of_keras_in_another_order", error=Corrupt, path="model.h5",
        spoil=listed_by_keras("/", "layer_names", "Encoder-1-FeedForward", "Encoder-2-FeedForward"),
        call={"checkpoint_file": "{}/model.h5"}),
    row(name="weights_of_keras_in_another_order", error=Corrupt, path="model.h5",
        spoil=listed_by_keras("Embedding-Norm", "weight_names", "Embedding-Norm/gamma:0", "Embedding-Norm/beta:0"),
        call={"checkpoint_file": "{}/model.h5"}),
    row(name="numbered_layers_of_keras_and_one_more", error=errors.AmbiguousCheckpointError, path="model.weights.h5",
        spoil=numbered_by_keras("dense_3"), call={"checkpoint_file": "{}/model.weights.h5", "training": True}),
    row(name="checkpoint_is_a_pickle", error=Wrong, path="model.pkl", spoil=write("model.pkl", b"\x80\x04\x95" + bytes(99)),
        call={"checkpoint_file": "{}/model.pkl"}),
    row(name="checkpoint_is_v1", error=Wrong, path="v1.ckpt", spoil=lambda folder: (folder / INDEX).rename(folder / "v1.ckpt"),
        call={"checkpoint_file": "{}/v1.ckpt"}, reports=("A8",)),
    row(name="checkpoint_is_the_config", error=Wrong, path=CONFIG_NAME, call={"checkpoint_file": f"{{}}/{CONFIG_NAME}"}),
    # damaged bytes
    row(name="index_cut", error=Corrupt, path=INDEX, spoil=bytes_of(INDEX, lambda data: data[:900]), call=CKPT),
    row(name="index_of_forty_bytes", error=Corrupt, path=INDEX, spoil=bytes_of(INDEX, lambda data: data[:40]), call=CKPT),
    reported(name="index_of_twenty_bytes", error=Corrupt, path=INDEX, spoil=bytes_of(INDEX, lambda data: data[:20]), reports=("C8",)),
    row(name="index_with_a_flipped_bit", error=Corrupt, path=INDEX, spoil=flip(INDEX, 300), call=CKPT),
    row(name="shard_cut", error=Corrupt, path=SHARD, spoil=bytes_of(SHARD, lambda data: data[:-8]), call=CKPT),
    reported(name="shard_cut_in_the_middle", error=Corrupt, path=SHARD, spoil=partial(testing.truncate, keep=20_000), reports=("C6",)),
    row(name="shard_empty", error=Corrupt, path=SHARD, spoil=write(SHARD, b""), call=CKPT),
    row(name="shard_with_bytes_behind", error=Corrupt, path=SHARD, spoil=bytes_of(SHARD, lambda data: data + b"\r\n"), call=CKPT),
    row(name="unused_shard_cut", error=Corrupt, path=SECOND_SHARD,
        spoil=then(two_shards, bytes_of(SECOND_SHARD, lambda data: data[:-1])), call=CKPT),
    row(name="shard_with_a_flipped_bit", error=Corrupt, path=SHARD, spoil=flip(SHARD, 1000), call=CKPT, reports=("C7",)),
    row(name="shard_of_another_checkpoint", error=Corrupt, path=SHARD, spoil=bytes_of(SHARD, lambda data: data[::-1]), call=CKPT),
    row(name="two_nans_in_the_weights", error=Corrupt, path=SHARD, spoil=with_value(FIRST, poisoned(float("nan")))),
    row(name="two_infinities_in_the_weights", error=Corrupt, path=SHARD, spoil=with_value(FIRST, poisoned(float("inf")))),
    # the config
    row(name="config_not_json", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"vocab_size": 30,\n  // tiny\n}')),
    reported(name="config_with_a_comment", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, "{\n// tiny\n}"), reports=("D9",)),
    row(name="config_cut_off", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"vocab_size": 30, "hidden_act": "ge')),
    row(name="config_is_the_vocabulary", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, "[PAD]\n[UNK]\n[CLS]\na\n")),
    row(name="config_is_a_list", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, "[1, 2]")),
    row(name="config_not_utf8", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"hidden_act": "\xe9"}'.encode("latin-1"))),
    row(name="config_with_a_key_twice", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"vocab_size": 30, "vocab_size": 31}')),
    row(name="config_with_nan", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"vocab_size": NaN}')),
    row(name="config_nested_too_deep", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"a":' * 100_000)),
    row(name="config_with_no_keys", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, "{}")),
    reported(name="config_without_two_keys", error=Config, path=CONFIG_NAME,
             spoil=config(hidden_act=None, max_position_embeddings=None), reports=("D7",)),
    reported(name="config_with_another_gelu", error=Config, path=CONFIG_NAME, spoil=config(hidden_act="quick_gelu"), reports=("D5",)),
    row(name="config_with_three_bad_keys", error=Config, path=CONFIG_NAME,
        spoil=config(hidden_size=0, hidden_act="quick_gelu", num_hidden_layers=True)),
    row(name="config_with_heads_that_do_not_divide", error=Config, path=CONFIG_NAME, spoil=config(num_attention_heads=5)),
    row(name="config_with_sixteen_segments", error=Config, path=CONFIG_NAME, spoil=config(type_vocab_size=16)),
    row(name="config_of_a_decoder", error=Config, path=CONFIG_NAME,
        spoil=config(is_decoder=True, add_cross_attention=True, position_embedding_type="relative_key_query")),
    reported(name="config_of_a_decoder_alone", error=Config, path=CONFIG_NAME, spoil=config(is_decoder=True), reports=("D13",)),
    reported(name="config_with_relative_positions", error=Config, path=CONFIG_NAME,
             spoil=config(position_embedding_type="relative_key"), reports=("D14",)),
    row(name="config_of_albert", error=Config, path=CONFIG_NAME, spoil=config(embedding_size=8, num_hidden_groups=1)),
    row(name="config_with_an_absurd_number", error=Config, path=CONFIG_NAME, spoil=write(CONFIG_NAME, '{"vocab_size": 1' + "0" * 5000 + "}")),
    # the vocabulary
    row(name="vocab_with_a_blank_last_line", error=Vocab, path=VOCAB, spoil=tokens(lambda lines: [*lines, ""]), reports=("E4",)),
    row(name="vocab_of_another_model", error=Vocab, path=VOCAB, spoil=tokens(lambda lines: [*lines, *map(str, range(970))])),
    row(name="config_far_off_and_the_vocabulary_right", error=Mismatch, path=PREFIX,
        spoil=config(vocab_size=30_522, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072), reports=("D16",)),
    row(name="vocab_with_a_token_twice", error=Vocab, path=VOCAB, spoil=tokens(lambda lines: [*lines[:-1], lines[9]])),
    reported(name="vocab_with_a_word_twice", error=Vocab, path=VOCAB,
             spoil=partial(testing.edit_vocabulary, change=lambda lines: [*lines[:-1], "film"]), reports=("E3",)),
    reported(name="vocab_with_two_tokens_more", error=Vocab, path=VOCAB,
             spoil=partial(testing.edit_vocabulary, change=lambda lines: [*lines, "one", "more"]), reports=("E5",)),
    reported(name="vocab_with_a_mark_and_without_a_special_token", error=Vocab, path=VOCAB,
             spoil=partial(testing.edit_vocabulary, change=lambda lines: ["\ufeff[PAD]", *lines[2:], "a1"]), reports=("E6",)),
    row(name="vocab_without_special_tokens", error=Vocab, path=VOCAB, spoil=tokens(lambda lines: ["a", "b", *lines[3:]])),
    row(name="vocab_with_a_byte_order_mark", error=Vocab, path=VOCAB, spoil=bytes_of(VOCAB, lambda data: b"\xef\xbb\xbf" + data)),
    row(name="vocab_is_json", error=Wrong, path=VOCAB, spoil=write(VOCAB, '{"[PAD]": 0}')),
    reported(name="vocab_is_hdf5", error=Wrong, path="vocab.h5", spoil=write("vocab.h5", b"\x89HDF\r\n\x1a\n" + bytes(99)),
             call={"vocab_file": "{}/vocab.h5"}, reports=("E8",)),
    row(name="vocab_is_sentencepiece", error=Wrong, path=VOCAB, spoil=write(VOCAB, b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00")),
    row(name="vocab_is_an_html_page", error=Wrong, path=VOCAB, spoil=write(VOCAB, HTML)),
    row(name="vocab_is_an_lfs_pointer", error=Wrong, path=VOCAB, spoil=write(VOCAB, LFS)),
    # the variables
    row(name="config_has_another_vocab_size", error=Mismatch, path=PREFIX, spoil=config(vocab_size=31), reports=("D1",)),
    reported(name="config_has_two_layers_more", error=Mismatch, path=PREFIX, spoil=config(num_hidden_layers=4), reports=("D2",)),
    row(name="config_has_fewer_positions", error=Mismatch, path=PREFIX, spoil=config(max_position_embeddings=19)),
    row(name="config_of_a_larger_model", error=Mismatch, path=PREFIX, spoil=config(hidden_size=32, intermediate_size=64)),
    row(name="checkpoint_has_sixteen_segments", error=Mismatch, path=PREFIX,
        spoil=with_value("bert/embeddings/token_type_embeddings", lambda value: np.repeat(value, 8, axis=0)), reports=("D10",)),
    row(name="checkpoint_in_integers", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {name: value.astype(np.int32) for name, value in tensors.items()})),
    row(name="checkpoint_in_doubles_that_are_no_floats", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {name: value.astype(np.float64) + 1e-12 for name, value in tensors.items()}), reports=("F19",)),
    row(name="checkpoint_with_other_position_ids", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {**tensors, "bert/embeddings/position_ids": np.arange(1, 21)[None]}), reports=("F17",)),
    row(name="checkpoint_with_a_slot_of_another_shape", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {**tensors, "bert/pooler/dense/kernel/adam_m": np.zeros(3, np.float32)}), reports=("F15",)),
    row(name="checkpoint_without_heads", error=Mismatch, path=PREFIX, spoil=checkpoint(without("cls/")), call={"training": True}),
    reported(name="checkpoint_without_heads_and_pooler", error=Mismatch, path=PREFIX,
             spoil=partial(testing.write_bert_checkpoint, heads=False), call={"training": True}, reports=("F8",)),
    reported(name="checkpoint_without_a_beta", error=Mismatch, path=PREFIX,
             spoil=partial(testing.drop_variable, name="bert/encoder/layer_1/output/LayerNorm/beta"), reports=("G4",)),
    reported(name="checkpoint_with_a_longer_name", error=Mismatch, path=PREFIX,
             spoil=renamed(lambda name: f"{name}_of_another" if name == QUERY else name), reports=("F9",)),
    reported(name="checkpoint_with_pytorch_names_of_the_norms", error=Mismatch, path=PREFIX,
             spoil=renamed(lambda name: name.replace("/gamma", "/weight").replace("/beta", "/bias")), reports=("F10",)),
    reported(name="checkpoint_of_an_adapter", error=Wrong, path=INDEX, spoil=renamed(lambda name: f"adapter.{name}".replace("/", ".")), reports=("G1",)),
    row(name="checkpoint_of_a_graph_built_twice", error=Mismatch, path=PREFIX,
        spoil=renamed(lambda name: name.replace("attention/output/LayerNorm", "attention/output/LayerNorm_1")), reports=("F4",)),
    row(name="checkpoint_with_an_unknown_variable", error=Mismatch, path=PREFIX,
        spoil=checkpoint(lambda tensors: {**tensors, "bert/adapter/kernel": np.zeros(3, np.float32)})),
    row(name="checkpoint_of_albert", error=Wrong, path=INDEX,
        spoil=renamed(lambda name: name.replace("layer_0/", "transformer/group_0/inner_group_0/")), reports=("F5",)),
    row(name="checkpoint_of_electra", error=Wrong, path=INDEX, spoil=renamed(lambda name: name.replace("bert/", "electra/")), reports=("F6",)),
    row(name="checkpoint_of_bilm_tf", error=Wrong, path=INDEX, spoil=lambda folder: write_checkpoint(
        folder / PREFIX, {"lm/char_embed": np.zeros((261, 4), np.float32), "lm/CNN/b_cnn_0": np.zeros(4, np.float32)})),
    row(name="checkpoint_of_roberta", error=Wrong, path=INDEX, spoil=renamed(lambda name: name.replace("bert/", "roberta/"))),
    row(name="checkpoint_of_nezha", error=Wrong, path=INDEX, spoil=checkpoint(without("position_embeddings")), reports=("F7",)),
    row(name="checkpoint_saved_by_keras", error=Wrong, path=INDEX,
        spoil=lambda folder: write_checkpoint(folder / PREFIX, {"Encoder-1-FeedForward-Norm/gamma": np.ones(16, np.float32)})),
    row(name="checkpoint_of_bert4keras", error=Wrong, path=INDEX,
        spoil=lambda folder: write_checkpoint(folder / PREFIX, {
            "Embedding-Token/embeddings": np.zeros((30, 16), np.float32),
            "Transformer-0-MultiHeadSelfAttention/dense/kernel": np.zeros((16, 16), np.float32),
        }), reports=("F2",)),
    row(name="checkpoint_object_based", error=Wrong, path=INDEX,
        spoil=renamed(lambda name: f"model/{name.replace('/', '_')}/.ATTRIBUTES/VARIABLE_VALUE"), reports=("F3",)),
    row(name="checkpoint_with_two_berts", error=errors.AmbiguousCheckpointError, path=PREFIX,
        spoil=checkpoint(lambda tensors: {f"{scope}/{name}": value for scope in ("a", "b") for name, value in tensors.items()}), reports=("F21",)),
    row(name="checkpoint_with_keras_s_names_of_the_norms", error=Mismatch, path=PREFIX,
        spoil=renamed(lambda name: name.replace("/LayerNorm/", "/layer_normalization_1/")), reports=("F22",)),
    row(name="checkpoint_with_mlm_and_without_nsp", error=Mismatch, path=PREFIX, spoil=checkpoint(without("seq_relationship")), call={"training": True}, reports=("F23",)),
    row(name="checkpoint_with_fewer_positions", error=Mismatch, path=PREFIX,
        spoil=with_value("bert/embeddings/position_embeddings", lambda value: value[:12]), reports=("D15",)),
    row(name="checkpoint_that_is_empty", error=Mismatch, path=PREFIX, spoil=lambda folder: write_bundle(folder / PREFIX, {})),
    row(name="checkpoint_of_something_else", error=Mismatch, path=PREFIX,
        spoil=lambda folder: write_checkpoint(folder / PREFIX, {"conv1/weights": np.zeros(3, np.float32)})),
    # the lock
    row(name="locked_vocab_changed", error=errors.LockError, path=LOCK_NAME, spoil=then(LOCKED, flip(VOCAB, 0))),
    row(name="locked_vocab_replaced_by_an_lfs_pointer", error=errors.LockError, path=LOCK_NAME, spoil=then(LOCKED, write(VOCAB, LFS))),
    row(name="locked_files_missing", error=errors.LockError, path=LOCK_NAME, spoil=then(LOCKED, remove(VOCAB, INDEX))),
    row(name="file_that_is_not_locked", error=errors.LockError, path=VOCAB,
        spoil=then(rename(VOCAB, "later"), LOCKED, rename("later", VOCAB))),
    row(name="lock_of_an_elmo", error=errors.LockError, path=LOCK_NAME, spoil=lock(check_bert, lambda text: text.replace("BERT", "ELMo"))),
    row(name="lock_that_lacks_a_file", error=errors.LockError, path=LOCK_NAME,
        spoil=lock(check_bert, lambda text: text.rpartition("[[file]]")[0])),
    row(name="lock_of_a_later_version", error=errors.LockError, path=LOCK_NAME,
        spoil=lock(check_bert, lambda text: text.replace("version = 1", "version = 2"))),
    row(name="lock_that_leads_out", error=Unsafe, path=LOCK_NAME,
        spoil=lock(check_bert, lambda text: text.replace(VOCAB, f"../{VOCAB}"))),
    row(name="lock_is_an_html_page", error=Wrong, path=LOCK_NAME, spoil=write(LOCK_NAME, HTML)),
    row(name="signature_without_a_key", error=errors.ArgumentError, call={"signature": "{}/model.sig"}),
    row(name="signature_that_is_cut", error=errors.LockError, path=SIGNATURE, call=SIGNED, spoil=write(SIGNATURE, BUNDLE[:900])),
    row(name="signature_of_an_identity", error=errors.LockError, path=SIGNATURE, call=SIGNED,
        spoil=write(SIGNATURE, BUNDLE.replace('"publicKey"', '"certificate"'))),
    row(name="signature_is_the_config", error=Wrong, path=CONFIG_NAME, call={**SIGNED, "signature": "{}/bert_config.json"}),
    row(name="signed_by_a_private_key", error=Wrong, path="key.pem", call=SIGNED,
        spoil=then(write(SIGNATURE, BUNDLE), write("key.pem", PUBLIC_KEY.replace("PUBLIC", "PRIVATE")))),
    row(name="signed_by_the_vocabulary", error=Wrong, path=VOCAB, call={**SIGNED, "signed_by": "{}/vocab.txt"},
        spoil=write(SIGNATURE, BUNDLE)),
    row(name="lock_that_is_not_there", error=Missing, path="other.lock", call={"lock_file": "{}/other.lock"}),
]  # fmt: skip
