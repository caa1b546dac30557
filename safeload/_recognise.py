"""Recognise models and files that are mistaken for a BERT or an ELMo, and suggest what to do.

There is a table for the names of tensors, one for the keys of a config and one for the names in a folder. In each, the first
matching row of the expected model wins. A pattern is compiled where it is used: most of them are for other models.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import is_int
from safeload._bytes.kinds import KERAS_LOADS, kinds_of
from safeload._bytes.usual_names import is_usual, without_usual
from safeload._json import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

BERT, ELMO, BILM_TF = "BERT", "ELMo", "bilm-tf"
_SCOPE_OF_BILM = r"(?:.*/)?(?:lm|bilm)/"
_OF_ALLENNLP = r"(?:.*\.)?_token_embedder\._char_embedding_weights$"
OWNERS = {BERT: BERT, ELMO: ELMO, BILM_TF: ELMO}
"""Whose variables a checkpoint has -> the model that they make."""

WEIGHTS_OF_ALLENNLP = ("weights.th", "best.th")
"""The weights in an AllenNLP archive, and in the folder of a training; of both, the first is taken."""

_EITHER = "either"
"""The owner of rows for both models."""

LOAD_TRAINED = "load it with safeload.load_elmo, with the options.json of its training"
_CONFIGS = {BERT: "bert_config", ELMO: "options"}
_LOST_VARIABLES = "its weights should be in its folder variables/, which is missing: copy the whole folder"


class Other(NamedTuple):
    """Another model or file than expected.

    Attributes:
        name: The name in messages: "ALBERT", "a model saved by Keras".
        hint: What to do with it.
        has_berts_names: Whether its files also have all of BERT's variables, under BERT's names.
    """

    name: str
    hint: str
    has_berts_names: bool = False


_AN_ELMO = Other("an ELMo", "load it with safeload.load_elmo, or check it with: safeload check elmo")


def _any(pattern: str) -> Callable[[Collection[str], set[str]], bool]:
    return lambda names, _: any(map(re.compile(pattern).match, names))


def _embeddings(_: Collection[str], top: set[str]) -> bool:
    return "sentence_to_index" in top or (bool(top) and all(name.isdecimal() for name in top))


def _words(names: Collection[str], top: set[str]) -> bool:
    if not any("RNN_" in name for name in (*names, *top)):
        return False
    inner = {*top, *(re.sub(rf"^{_SCOPE_OF_BILM}", "", name).split("/", 1)[0] for name in names)}
    return "embedding" in inner and "char_embed" not in inner and any(name.startswith("RNN_") for name in inner)


def _no_variables(names: Collection[str], _: set[str]) -> bool:
    return set(names) == {"save_counter"}


def _keras_model(_: Collection[str], top: set[str]) -> bool:
    return "model_weights" in top


def _keras_weights(_: Collection[str], top: set[str]) -> bool:
    names = {"layer_names", "optimizer_weights", "top_level_model_weights", "_layer_checkpoint_dependencies", "layers"}
    return bool(top & names)


_BY_TENSORS: tuple[tuple[str, Other, Callable[[Collection[str], set[str]], bool]], ...] = (
    (BERT, Other("a TensorFlow 2 checkpoint of an object that had no variables when it was saved",
                 "an encoder has none before it is called: call it once, load its weights, and save it again"),
     _no_variables),
    (BERT, Other("a TensorFlow 2 checkpoint whose variables have no full names of their own",
                 "it has several models, or no object graph: save the encoder alone again, with tf.train.Checkpoint"),
     _any(r".*/\.ATTRIBUTES/VARIABLE_VALUE$")),
    (BERT, Other("ALBERT", "load it with a library for ALBERT", has_berts_names=True),
     _any(r".*(encoder/transformer/group_0|embedding_hidden_mapping_in)/")),
    (BERT, Other("ELECTRA", "load it with a library for ELECTRA", has_berts_names=True),
     _any(r"(electra|discriminator_predictions|generator_predictions|generator/(embeddings|encoder))/")),
    (BERT, Other("a model of bert4keras", "load it with bert4keras, and save it there with save_weights_as_checkpoint",
                 has_berts_names=True),
     _any(r"(?:.*/)?Transformer-\d+-(MultiHeadSelfAttention|FeedForward)")),
    (BERT, _AN_ELMO, _any(r"(?:(?:.*/)?bilm/)?(char_embed$|CNN/)")),
    (BERT, _AN_ELMO, _any(_OF_ALLENNLP)),
    (BERT, Other("a training checkpoint of bilm-tf", LOAD_TRAINED), _any(r"lm/(char_embed$|CNN/|RNN_\d/)")),
    (BERT, Other("RoBERTa", "load it with a library for RoBERTa"), _any(r"(.*/)?roberta/")),
    (BERT, Other("a checkpoint saved by Keras, with layer names",
                 "load it with model.load_weights, or save it again with keras_bert's variable names"),
     _any(r"(Embedding-Token|Embedding-Position|Encoder-\d+-.*)/")),
    (BERT, Other("a PEFT adapter, without the weights of the model that it adapts",
                 "merge it into that model with merge_and_unload(), and save the result with save_pretrained()"),
     _any(r".*\.(lora_[A-Za-z_]+|ia3_l|vera_lambda_[bd])(\.|$)")),
    (BERT, Other("another model, with PyTorch's names",
                 "load it with the library that saved it; a BERT has embeddings.word_embeddings.weight"),
     _any(r".*\.(weight|bias)$")),
    (_EITHER, Other("a file of computed embeddings",
                 "these are vectors that a biLM computed; pass the weights of the biLM itself, published as ..._weights.hdf5"),
     _embeddings),
    (_EITHER, Other("the weights of a word-level biLM", "ELMo needs a character-level biLM; pass the weights of one"), _words),
    (ELMO, Other("a BERT", "load it with safeload.load_bert, or check it with: safeload check bert"),
     _any(r"(?:.*/)?(bert/embeddings|Embedding-Token|(token_embedding|reversible_embedding)/vars)/")),
    (ELMO, Other("a BERT", "load it with safeload.load_bert, or check it with: safeload check bert"),
     _any(r"(?:.*\.)?embeddings\.word_embeddings\.weight$")),
    (ELMO, Other("a transformer-ELMo, another architecture", "load it with AllenNLP, as it was trained: it has no LSTMs"),
     _any(r"(?:.*\.)?_(?:for|back)ward_transformer\.")),
    (ELMO, Other("an OpenAI transformer, such as GPT", "load it with a library for that model"),
     _any(r"(?:.*\.)?h\.\d+\.attn\.c_attn\.")),
    (ELMO, Other("ELMoForManyLangs, another architecture", "load the folder that it is in with ELMoForManyLangs"),
     _any(r"(?:(?:token_embedder|encoder)\.)?(?:(?:word|char)_emb_layer\.|(?:for|back)ward_layer_\d+\.\w+_linearity\.)")),
    (_EITHER, Other("a model saved by Keras", KERAS_LOADS), _keras_model),
    (_EITHER, Other("weights saved by Keras", "load them with load_weights, into the Keras model that saved them"), _keras_weights),
)  # fmt: skip

_BY_VARIABLES = (
    (
        BERT,
        r"(?:.*/)?(?:bert/embeddings/word_embeddings(?:/weight:0)?|word_embeddings/embeddings|Embedding-Token/embeddings)$",
    ),
    (BILM_TF, r"lm/(?:char_embed$|CNN/|RNN_\d/)"),
    (ELMO, rf"(?:(?:.*/)?bilm/)?(?:char_embed$|CNN/|RNN_[01]/)|{_OF_ALLENNLP}"),
)

_BY_KEYS: tuple[tuple[str, Other, tuple[str, ...]], ...] = (
    (ELMO, Other("ELMoForManyLangs, another architecture", "load it with ELMoForManyLangs"), ("encoder", "token_embedder")),
    (ELMO, Other("a transformer such as BERT", "pass BERT's config to safeload.load_bert"), ("hidden_size", "num_hidden_layers")),
    (ELMO, Other("an AllenNLP training run", "pass its folder or its archive, which has the weights too; or the options file that its elmo_token_embedder names"), ("dataset_reader", "model")),
)  # fmt: skip

_KEYS_OF_VARIANTS = {
    "albert": ("embedding_size", "num_hidden_groups", "inner_group_num"),
    "nezha": ("max_relative_position", "use_relative_position"),
}

_BY_FILES: tuple[tuple[str, Other, tuple[str, ...]], ...] = (
    (ELMO, Other("an ELMoForManyLangs model", "it has another architecture; load it with ELMoForManyLangs"), ("encoder.pkl", "token_embedder.pkl")),
    (ELMO, Other("a TensorFlow model or TF-Hub module", _LOST_VARIABLES), ("saved_model.pb",)),
    (ELMO, Other("a TF-Hub module", _LOST_VARIABLES), ("tfhub_module.pb",)),
    (ELMO, Other("a BERT model", "load it with safeload.load_bert, or check it with: safeload check bert {folder}"), ("bert_config.json",)),
)  # fmt: skip

_UNFINISHED = r"\.(part|partial|filepart|crdownload|download|incomplete|tmp|aria2)$"
_PIECES = {
    BERT: r"^vocab\.txt$|^checkpoint$|^bert_model\.ckpt|\.ckpt(-\d+)?\.meta$|\.data-\d{5}-of-\d{5}",
    ELMO: r"\.hdf5\b",
}
"""Files of a model beside those by which its folder is recognised."""


def other_tensors(model: str, names: Iterable[str], groups: Iterable[str] = ()) -> Other | None:
    """Recognise tensors of another model; None if no row matches."""
    listed = list(names)
    top = {name.split("/", 1)[0] for name in (*listed, *groups)}
    return next((other for owner, other, fits in _BY_TENSORS if owner in (model, _EITHER) and fits(listed, top)), None)


def other_encoder(name: str) -> Other | None:
    """Recognise another encoder than BERT's by the name of one of its tensors; None if no row matches."""
    return next((other for owner, other, fits in _BY_TENSORS if owner == BERT and fits([name], set())), None)


def other_config(model: str, data: Mapping[str, Any]) -> Other | None:
    """Recognise the config of another model; None if no row matches."""
    if model == BERT:
        return _variant_of_bert(data)
    found = next((other for owner, other, keys in _BY_KEYS if owner == model and set(keys) <= set(data)), None)
    if found is None and "lstm" in data and "char_cnn" not in data:
        hint = "ELMo needs a character-level biLM; pass the options of one"
        return Other("a word-level biLM (there is no char_cnn)", hint)
    return found


def _variant_of_bert(data: Mapping[str, Any]) -> Other | None:
    if "lstm" in data and "char_cnn" in data:
        return _AN_ELMO
    model_type = data.get("model_type", "bert")
    if not isinstance(model_type, str) or not model_type.strip():
        return Other(f"another model (model_type {shown(model_type)})", "load it with a library for that model")
    if model_type.lower() != "bert":
        return _variant(model_type.lower(), "model_type")
    width, hidden = data.get("embedding_size"), data.get("hidden_size")
    same_width = is_int(width) and is_int(hidden) and width == hidden
    for model, keys in _KEYS_OF_VARIANTS.items():
        for key in keys:
            if _is_set(data.get(key)) and not (key == "embedding_size" and same_width):
                return _variant(model, key)
    return None


def _is_set(value: object) -> bool:
    return value is not None and not (isinstance(value, (bool, int, float)) and value == 0)


def _variant(model: str, sign: str) -> Other:
    return Other(f"{model} ({sign})", f"load it with a library for {model.split(maxsplit=1)[0]}")


def other_folder(model: str, folder: str, names: Iterable[str]) -> Other | None:
    """Recognise the folder of another model by the names in it; None if no row matches."""
    present = set(names)
    other = next((other for owner, other, files in _BY_FILES if owner == model and set(files) <= present), None)
    return other and other._replace(hint=other.hint.replace("{folder}", folder))


def models_of_variables(names: Collection[str]) -> list[str]:
    """Return the models that have a variable or dataset of one of these names: BERT, ELMo, or bilm-tf's own."""
    return [model for model, pattern in _BY_VARIABLES if any(map(re.compile(pattern).match, names))]


def models_of_folder(names: Iterable[str]) -> list[str]:
    """Return the models whose config or weights are among the names in a folder."""
    listed = list(names)
    return [model for model in _CONFIGS if _is_folder_of(model, listed)]


def _is_folder_of(model: str, names: list[str]) -> bool:
    if model == BERT and any(map(is_usual, names)):
        return True
    own = [kind for kind in kinds_of(model) if kind.models[0] == model and (model == ELMO or not kind.usual)]
    endings = tuple(ending for kind in own for ending in kind.endings)
    return any(
        name.endswith(endings) or (name.endswith(".json") and _CONFIGS[model] in name) for name in without_usual(names)
    )


def has_piece_of(model: str, names: Iterable[str]) -> bool:
    """Return whether a folder has a file of the model, even if it is one that a copy or download left without the others."""
    whole = [re.sub(_UNFINISHED, "", name) for name in names]
    return _is_folder_of(model, whole) or any(re.search(_PIECES[model], name) for name in whole)


def model_of_config(data: Mapping[str, Any]) -> str | None:
    """Return the model whose config a JSON object is: BERT, ELMo, or what it calls another one; None if it is none."""
    if "lstm" in data and "char_cnn" in data:
        return ELMO
    if "num_hidden_layers" in data and "hidden_size" in data:
        model = str(data.get("model_type", "bert")).lower()
        return BERT if model == "bert" else model
    return None


def what_config(data: Mapping[str, Any]) -> str:
    """Describe a JSON object: whose config it is, if any."""
    model = model_of_config(data)
    described = {
        ELMO: "the options of an ELMo",
        BERT: "the config of a BERT",
        None: "a JSON file that is neither the config of a BERT nor the options of an ELMo",
    }
    return described.get(model, f"the config of another model: {model}")
