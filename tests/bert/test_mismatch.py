"""What a checkpoint is compared with: its scope, other models in it, and the hints; written without TensorFlow."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

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
    VocabularyError,
)
from safeload.testing import edit_config, edit_vocabulary, write_bert, write_bert_checkpoint
from safeload.testing._bundle import write_checkpoint
from safeload.testing._forms import FORMS
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
    (hint,) = hints_of(bert, drop(f"layer_{layers - 1}/"))

    assert hint == (
        f"num_hidden_layers is {layers} in the config but {layers - 1} in the checkpoint; "
        f'to load this checkpoint, set "num_hidden_layers": {layers - 1} in {bert / "bert_config.json"}'
    )


@pytest.mark.parametrize(
    "extra", [["bert/adapter"], ["bert/a/kernel", "bert/a/bias"], ["bert/b[0]/x"], ["bert/a", "bert/b[1]"]]
)
def test_what_is_unexpected_can_be_ignored_as_the_hint_says(extra, bert):
    (hint,) = hints_of(bert, lambda tensors: tensors.update(dict.fromkeys(extra, ONE)))
    before, _, pattern = hint.partition("ignore_unused=")

    assert before == "to allow extra variables, call safeload.load_bert with "
    assert safeload.check_bert(bert, ignore_unused=ast.literal_eval(pattern)).ignored == tuple(sorted(extra))


def test_extra_variables_are_no_cure_for_missing_ones(bert):
    def change(tensors):
        tensors["bert/adapter"] = tensors.pop("bert/embeddings/LayerNorm/beta")

    assert hints_of(bert, change) == []


@pytest.mark.parametrize(
    ("parts", "has"),
    [
        (["cls/", "pooler"], "no pooler and no MLM head and no NSP head"),
        (["cls/"], "the pooler, but no MLM head and no NSP head"),
        (["cls/seq_relationship"], "the pooler and MLM head, but no NSP head"),
        (["pooler"], "the MLM head and NSP head, but no pooler"),
    ],
)
def test_the_missing_heads_are_named_and_training_can_be_left_out(parts, has, bert):
    hints = hints_of(bert, drop(*parts), training=True)

    assert hints == [f"the checkpoint has {has}; training=True needs all three: load it with training=False"]
    assert len(safeload.check_bert(bert, training=False).read) == 37


@pytest.mark.parametrize("parts", [["cls/", "layer_0/output/LayerNorm/beta"], ["cls/predictions/output_bias"]])
def test_other_missing_variables_are_not_a_matter_of_training(parts, bert):
    assert not any("training" in hint for hint in hints_of(bert, drop(*parts), training=True))


@pytest.mark.parametrize(
    "keras_name", ["{}/layer_normalization_{}", "layer_normalization_{1}", "{}/layer_normalization"], ids=str
)
def test_norms_with_keras_s_names_are_neither_extra_nor_of_a_graph_built_twice(keras_name, bert):
    def change(tensors):
        norms = sorted({name.rpartition("/")[0] for name in tensors if "/LayerNorm/" in name})
        for number, norm in enumerate(norms):
            for part in ("gamma", "beta"):
                name = keras_name.format(norm.rpartition("/")[0], number + 1)
                tensors[f"{name}/{part}"] = tensors.pop(f"{norm}/{part}")

    (hint,) = hints_of(bert, change)

    assert "layer_normalization" in hint
    assert "Keras's LayerNormalization" in hint
    assert "bert/embeddings/LayerNorm" in hint


def test_an_empty_checkpoint_is_called_empty(bert):
    hint = "the checkpoint is empty: it contains no variables; save or copy it again"

    assert hints_of(bert, lambda tensors: tensors.clear()) == [hint]


SET = re.compile(r'; to load this checkpoint, set "(.+)": (\d+) in (.+)')


def set_as_the_hints_say(hints):
    """Change the file that each hint names, and return the keys."""
    changes = [match.groups() for hint in hints if (match := SET.search(hint))]
    for key, value, path in changes:
        config = json.loads(Path(path).read_text())
        Path(path).write_text(json.dumps({**config, key: int(value)}))
    return {key for key, _, _ in changes}


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 31},
        {"vocab_size": 30_522, "hidden_size": 768, "num_hidden_layers": 12, "max_position_embeddings": 512, "intermediate_size": 3072},
        {"max_position_embeddings": 19, "intermediate_size": 64},
        {"hidden_size": 32},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("has_vocabulary", [True, False])
def test_a_config_that_is_changed_as_the_hints_say_is_good(wrong, has_vocabulary, bert):
    if not has_vocabulary:
        (bert / "vocab.txt").unlink()
    edit_config(bert, **wrong)

    assert set_as_the_hints_say(mismatch(bert).hints) == set(wrong)
    assert len(safeload.check_bert(bert).read) == 37


def test_a_shorter_position_table_loads_as_both_hints_say(tmp_path):
    folder = write_bert_checkpoint(tmp_path / "m", positions=12)
    edit_config(folder, max_position_embeddings=20)
    first, second = mismatch(folder).hints

    assert second == "or pass seq_len=12 or less to safeload.load_bert, for inputs of that length"
    report = safeload.check_bert(folder, seq_len=12)
    assert report.notes == ("the checkpoint has 12 positions, max_position_embeddings is 20",)
    assert [spec.shape for spec in report.read if "position" in spec.name] == [(12, 16)]
    with pytest.raises(VariableMismatchError):
        safeload.check_bert(folder, seq_len=13)
    assert set_as_the_hints_say([first])
    assert safeload.check_bert(folder).notes == ()


@pytest.mark.parametrize("is_good", [True, False])
def test_the_config_beside_the_weights_is_named_if_it_fits(is_good, bert, tmp_path):
    other = write_bert_checkpoint(tmp_path / "other", layers=4)
    if not is_good:
        shutil.copy(other / "bert_config.json", bert)

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(other / "bert_config.json", bert / "bert_model.ckpt")
    hint = f"the config in the folder of the checkpoint fits it; pass {bert / 'bert_config.json'}"
    assert (caught.value.hints[0] == hint) == is_good


@pytest.mark.parametrize("text", ["{", "[]", '{"vocab_size": [], "hidden_size": "x"}'])
def test_a_config_beside_the_weights_that_cannot_be_read_is_not_named(text, bert, tmp_path):
    other = write_bert_checkpoint(tmp_path / "other", layers=4)
    (bert / "bert_config.json").write_text(text)

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(other / "bert_config.json", bert / "bert_model.ckpt")
    assert not any("in the folder of" in hint for hint in caught.value.hints)


@pytest.mark.parametrize("backend", ["transformers", "keras-hub"])
def test_a_length_is_no_advice_for_a_library_that_takes_none(backend, bert):
    edit_config(bert, max_position_embeddings=25)

    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(bert, backend=backend)
    assert len(caught.value.hints) == 1
    assert set_as_the_hints_say(caught.value.hints) == {"max_position_embeddings"}
    safeload.check_bert(bert, backend=backend)


def test_a_longer_position_table_is_no_matter_of_seq_len(bert):
    edit_config(bert, max_position_embeddings=12)

    assert len(mismatch(bert).hints) == 1
    with pytest.raises(VariableMismatchError):
        safeload.check_bert(bert, seq_len=12)


@pytest.mark.parametrize(
    ("in_config", "n_tokens", "says"),
    [
        (3000, 30, "the vocabulary agrees with the checkpoint: 30 tokens; the config differs from both"),
        (21, 30, "the vocabulary agrees with the checkpoint: 30 tokens; the config differs from both"),
        (40, 40, "the vocabulary agrees with the config: 40 tokens; the checkpoint differs from both"),
        (40, 35, "the vocabulary has 35 tokens: no two of config, checkpoint and vocabulary agree"),
    ],
)
def test_it_is_said_which_two_of_three_agree(in_config, n_tokens, says, bert):
    edit_config(bert, vocab_size=in_config)
    edit_vocabulary(bert, change=lambda tokens: [*tokens, *(f"more{number}" for number in range(n_tokens - 30))])

    assert says in mismatch(bert).hints


def test_a_vocabulary_alone_against_config_and_checkpoint_is_what_is_wrong(bert):
    edit_vocabulary(bert, change=lambda tokens: [*tokens, "more"])
    with pytest.raises(VocabularyError) as caught:
        safeload.check_bert(bert)

    assert caught.value.hints[0] == "the config and the weights agree; the vocabulary differs from both"


def test_the_release_is_named_whose_sizes_a_file_has(tmp_path):
    folder = write_bert_checkpoint(
        tmp_path / "m", hidden=128, attention_heads=2, intermediate=512, positions=512, vocab=30_522
    )
    edit_config(folder, num_hidden_layers=12, hidden_size=768, intermediate_size=3072, num_attention_heads=12)
    hints = mismatch(folder).hints

    assert hints[-2:] == (
        "the checkpoint has the sizes of uncased_L-2_H-128_A-2; take both files from that release",
        "the config has the sizes of BERT-Base, uncased: uncased_L-12_H-768_A-12; take both files from that release",
    )
    assert 'published BERTs have a head for every 64 units: set "num_attention_heads": 2 too' in hints


def test_a_checkpoint_without_any_of_bert_s_variables_shows_its_first_names(bert):
    def change(tensors):
        tensors.clear()
        tensors.update(dict.fromkeys(("d", "c", "b", "a"), ONE))

    assert hints_of(bert, change)[0] == "the checkpoint contains no BERT variables; pass the file of the BERT itself"
    error = mismatch(bert)
    assert error.message == (
        "the BERT checkpoint does not fit its config: "
        "none of its 37 variables is there; the file has 4 variables, a, b, c and 1 more"
    )
    assert error.details == ()
    assert len(error.report.problems) == 37


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

    assert safeload.check_bert(bert, bert / given).place == form


def test_a_folder_named_checkpoint_is_a_folder(bert):
    (bert / "checkpoint").mkdir()
    for path in [path for path in bert.iterdir() if path.name.startswith(PREFIX)]:
        path.rename(bert / "checkpoint" / path.name)

    assert safeload.check_bert(bert, bert / "checkpoint").place == "folder with one checkpoint"


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


@pytest.mark.parametrize("form", [form for form in FORMS if form != "tensorflow"])
def test_the_hint_about_layers_is_the_same_in_each_form(form, tmp_path):
    folder = write_bert(tmp_path / "model", form=form, layers=1)
    edit_config(folder, num_hidden_layers=2)

    title = "checkpoint" if form.startswith("tensorflow") else "weight file"
    assert f"num_hidden_layers is 2 in the config but 1 in the {title}; " in mismatch(folder).hints[0]
