"""Define BERT for the checks, which need neither TensorFlow nor Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._arguments import bad_argument
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._steps import ModelKind
from safeload.bert import _mismatch, _places, _vocabulary
from safeload.bert._arguments import FULL_LENGTH
from safeload.bert._config import read_config
from safeload.bert._parameters import list_parameters, with_positions_of
from safeload.bert.namings import NAMINGS
from safeload.bert.namings.google import lacks_positions

if TYPE_CHECKING:
    from safeload._compare import Naming
    from safeload._forms.weight_file import WeightFile
    from safeload._steps import Places
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig


def bert(options: BuildOptions, *, may_be_clipped: bool = False) -> ModelKind[BertConfig]:
    """Return the `ModelKind` of a BERT.

    Args:
        options: How the model will be built.
        may_be_clipped: Whether `max_position_embeddings` may be smaller than the position table in the checkpoint.
    """

    def read(places: Places) -> tuple[BertConfig, list[str]]:
        config = read_config(places.config)
        notes = []
        if places.vocab is not None:
            notes = _vocabulary.require_fit(_vocabulary.read_vocabulary(places.vocab), config, places.vocab)
        require_config_allows(options, config)
        return config, notes

    def adapted(config: BertConfig, weights: WeightFile) -> BertConfig:
        return with_positions_of(config, weights.tensors) if may_be_clipped else config

    return ModelKind(
        model=_recognise.BERT,
        config_word="config",
        example_pattern="bert/encoder/layer_*",
        find_config=_places.resolve_config,
        find_others=_places.resolve_others,
        read=read,
        list_parameters=lambda config: list_parameters(config, training=options.training),
        recognise=recognise,
        hints=_mismatch.hints,
        unverified=lambda config: {
            "num_attention_heads": config.num_attention_heads,
            "hidden_act": config.hidden_act,
        },
        adapted=adapted,
    )


def recognise(weights: WeightFile) -> tuple[Naming, str]:
    """Return the naming of the variables and the scope of the encoder.

    Raises:
        WrongFileKindError: The weights are of another model, such as ALBERT, ELECTRA, RoBERTa, NEZHA or a TF2
            object-based checkpoint, or of several BERTs.
    """
    found = [(naming, scope) for naming in NAMINGS for scope in naming.scopes(weights.tensors)]
    other = _recognise.other_tensors(_recognise.BERT, weights.tensors)
    kind = None
    if len(found) == 1 and lacks_positions(weights.tensors, found[0][1]):
        name = "NEZHA, or another BERT without absolute positions"
        kind = FileKind("nezha", name, "load it with a library for NEZHA")
    elif other is not None and (len(found) != 1 or other.has_berts_names):
        kind = FileKind("other", other.name, other.hint)
    elif len(found) > 1:
        name = f"{len(found)} BERT models under the scopes {', '.join(repr(scope) for _, scope in found)}"
        kind = FileKind("several", name, "save the one you need to a separate checkpoint")
    if kind is not None:
        role, path = weights.files()[0]
        raise wrong_kind(weights.ref.at(path, role), kind, wanted="a BERT checkpoint with Google's variable names")
    return found[0] if found else (NAMINGS[0], "")


def require_config_allows(options: BuildOptions, config: BertConfig) -> None:
    """Require build options that fit the config.

    Raises:
        ArgumentError: `seq_len` exceeds the position table, or an output layer does not exist.
    """
    limit, layers = config.max_position_embeddings, config.num_hidden_layers
    contradicted = {"label": "config", "resolved": config.path}
    if options.seq_len is not None and limit < options.seq_len != FULL_LENGTH:
        wanted = f"at most max_position_embeddings={limit}"
        hints = [f"pass seq_len={limit} or less, or leave it out for the full length"]
        raise bad_argument("seq_len", options.seq_len, wanted, hints, **contradicted)
    number = options.output_layer_num
    if isinstance(number, int) and number > layers:
        wanted = f"at most num_hidden_layers={layers}"
        raise bad_argument("output_layer_num", number, wanted, [f"pass {layers} or less"], **contradicted)
    for index in number if isinstance(number, tuple) else ():
        if not -layers <= index < layers:
            wanted = f"layers from {-layers} to {layers - 1}"
            hints = ["layers are counted from 0; negative numbers count from the end"]
            raise bad_argument("output_layer_num", index, wanted, hints, **contradicted)
