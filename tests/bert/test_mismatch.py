"""What a checkpoint is compared with: its scope, other models in it, and the hints; written without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import safeload
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    ConfigError,
    InvalidPathError,
    MissingFileError,
    VariableMismatchError,
)
from safeload.testing import write_bert_checkpoint
from safeload.testing._bundle import write_checkpoint
from tests.checkpoints import BERT_CONFIG, PREFIX, bert_tensors

ONE = np.ones(3, np.float32)


@pytest.fixture
def scoped(tmp_path):
    """Return a folder whose variables stand under a scope."""
    write_bert_checkpoint(tmp_path / "model", scope="module/")
    return tmp_path / "model"


def rewritten(folder, change, scope=""):
    tensors = {scope + name: value for name, value in bert_tensors().items()}
    change(tensors)
    write_checkpoint(folder / PREFIX, tensors)
    return folder


def mismatch(folder):
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(folder)
    return caught.value


def test_a_scope_is_left_out_of_every_name(scoped):
    report = safeload.check_bert(scoped, training=True)

    assert report.scope == "module/bert/"
    assert all(spec.name.startswith(("bert/", "cls/")) for spec in report.read)
    assert not any(name.startswith("module/") for names in report.unused.values() for name in names)


@pytest.mark.parametrize("first", ["a/", "z/"])
def test_a_name_outside_the_scope_is_not_taken_for_one_inside(bert, first):
    stray = {"bert/embeddings/LayerNorm/beta": ONE, "bert/encoder/layer_0/output/dense/bias": ONE}

    assert (
        safeload.check_bert(rewritten(bert, lambda tensors: tensors.update(stray), scope=first)).scope
        == f"{first}bert/"
    )


def test_a_mismatch_under_a_scope_says_so(bert):
    gone = "module/bert/embeddings/LayerNorm/beta"
    error = mismatch(rewritten(bert, lambda tensors: tensors.pop(gone), scope="module/"))

    assert error.report.scope == "module/bert/"
    assert (error.report.model, error.report.given) == ("BERT", str(bert))
    assert [problem.name for problem in error.report.problems] == [gone.removeprefix("module/")]
    assert error.context == (("config", str(bert / "bert_config.json")), ("scope", "module/bert/"))
    assert (error.given, error.label, error.resolved) == (bert, "prefix", str(bert / PREFIX))


def drop(*parts):
    return lambda tensors: [tensors.pop(name) for name in list(tensors) if any(part in name for part in parts)]


def hints_of(folder, change, **arguments):
    rewritten(folder, change)
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(folder, **arguments)
    return list(caught.value.hints)


def test_one_missing_variable_has_no_hint(bert):
    assert hints_of(bert, drop("layer_0/output/LayerNorm/beta")) == []


def test_layers_are_counted(bert):
    layers = BERT_CONFIG["num_hidden_layers"]
    wrong = f"num_hidden_layers is {layers} in the config but {layers - 1} in the checkpoint; use both files from the same release"

    assert hints_of(bert, drop(f"layer_{layers - 1}/")) == [wrong]


def test_what_is_unexpected_can_be_ignored(bert):
    (hint,) = hints_of(bert, lambda tensors: tensors.update({"bert/adapter": ONE}))

    assert hint == "to allow extra variables, pass ignore_unused=['bert/...']"
    assert safeload.check_bert(bert, ignore_unused=["bert/adapter"]).ignored == ("bert/adapter",)


def test_missing_heads_are_a_matter_of_training(bert):
    hint = "the checkpoint was saved without the MLM and NSP heads; load it with training=False"

    assert hints_of(bert, drop("cls/", "pooler"), training=True) == [hint]
    assert hints_of(bert, drop("cls/", "layer_0/output/LayerNorm/beta"), training=True) == []
    assert len(safeload.check_bert(rewritten(bert, drop("cls/", "pooler"))).read) == 37


def test_a_checkpoint_without_any_of_bert_s_variables_shows_its_first_names(bert):
    def change(tensors):
        tensors.clear()
        tensors.update(dict.fromkeys(("d", "c", "b", "a"), ONE))

    assert hints_of(bert, change)[0] == "the checkpoint contains no BERT variables; its first ones are a, b, c, ..."


def test_heads_of_another_shape_are_not_nothing(bert):
    def change(tensors):
        drop("bert/")(tensors)
        tensors["cls/predictions/output_bias"] = ONE

    assert not any(hint.startswith("nothing") for hint in hints_of(bert, change, training=True))


def test_stored_types_are_named(bert):
    def change(tensors):
        for name in list(tensors):
            tensors[name] = tensors[name].astype("i4" if "gamma" in name else "i8" if "beta" in name else "f2")

    assert hints_of(bert, change) == ["the checkpoint stores int32, int64; save it in float32, float16 or bfloat16"]


def test_segments_are_keras_bert_s(bert):
    name = "bert/embeddings/token_type_embeddings"

    assert hints_of(bert, lambda tensors: tensors.update({name: tensors[name][:1]})) == [
        "the checkpoint has 1 segments; keras-bert always builds 2"
    ]


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        (["uncased_config.json"], "uncased_config.json"),
        (["bert_config_base.json"], "bert_config_base.json"),
        (["uncased_config.json", ".hidden_config.json", "bert_config.txt", "vocab.json"], "uncased_config.json"),
        (["config.json", "a_config.json"], "config.json"),
    ],
)
def test_a_config_of_another_name_is_found_if_it_is_the_only_one(others, chosen, bert):
    (bert / "bert_config.json").rename(bert / others[0])
    for name in others[1:]:
        (bert / name).write_text("{}")

    assert safeload.check_bert(bert).files[0].path == str(bert / chosen)


def test_several_configs_and_none_are_told(bert):
    (bert / "bert_config.json").rename(bert / "b_config.json")
    (bert / "bert_config_a.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(".", base_dir=bert)
    assert caught.value.hints == ("pass config_file, one of: b_config.json, bert_config_a.json",)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(bert), ".", "folder")
    for name in ("b_config.json", "bert_config_a.json"):
        (bert / name).unlink()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_bert(".", base_dir=bert)
    assert caught.value.looked_for == ("bert_config.json", "config.json")
    assert (caught.value.given, caught.value.label) == (".", "config")


@pytest.mark.parametrize("given", ["checkpoint", "checkpoint.index", ""])
def test_a_prefix_may_be_named_checkpoint(given, bert):
    for path in [path for path in bert.iterdir() if path.name.startswith(PREFIX)]:
        path.rename(bert / path.name.replace(PREFIX, "checkpoint"))
    (bert / "checkpoint").write_text('model_checkpoint_path: "gone"')
    form = {"checkpoint": "checkpoint prefix", "": "folder with one checkpoint"}.get(given, "index file")

    assert safeload.check_bert(bert, bert / given).form == form


def test_a_folder_named_checkpoint_is_a_folder(bert):
    (bert / "checkpoint").mkdir()
    for path in [path for path in bert.iterdir() if path.name.startswith(PREFIX)]:
        path.rename(bert / "checkpoint" / path.name)

    assert safeload.check_bert(bert, bert / "checkpoint").form == "folder with one checkpoint"


def test_each_path_starts_at_the_base_and_is_named_where_it_is_none(bert):
    report = safeload.check_bert("bert_config.json", f"./{PREFIX}", "vocab.txt", base_dir=bert)

    assert [file.path for file in report.files][:2] == [str(bert / "bert_config.json"), str(bert / "vocab.txt")]
    assert report.given == f"./{PREFIX}"
    for name in ("config_file", "checkpoint_file", "vocab_file"):
        with pytest.raises(InvalidPathError, match=f"^{name} "):
            safeload.check_bert(**{"config_file": bert, name: " "})


def test_a_folder_without_checkpoint_says_what_was_looked_for_and_where_one_is(bert):
    for folder in ("inner", ".hidden", "__MACOSX"):
        (bert / folder).mkdir()
        for path in [path for path in bert.iterdir() if path.name.startswith(PREFIX)]:
            (bert / folder / path.name).write_bytes(path.read_bytes())
    for path in [path for path in bert.iterdir() if path.name.startswith(PREFIX)]:
        path.unlink()
    with pytest.raises(CheckpointNotFoundError) as caught:
        safeload.check_bert(bert, ".", base_dir=bert)

    assert caught.value.looked_for == ("checkpoint", "*.index")
    assert caught.value.hints[0] == f"there is one a level deeper: pass {bert / 'inner' / PREFIX}"
    assert not any("hidden" in hint or "MACOSX" in hint for hint in caught.value.hints)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(bert), ".", "folder")


def test_of_many_checkpoints_the_first_eight_are_offered(bert):
    for number in range(10):
        (bert / f"m{number}.index").write_bytes(b"")
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_bert(bert, ".", base_dir=bert)

    names = ", ".join([PREFIX, *(f"m{number}" for number in range(7))])
    assert caught.value.hints == (f"pass one of the prefixes as checkpoint_file: {names}",)
    assert len(caught.value.candidates) == 11
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(bert), ".", "folder")
