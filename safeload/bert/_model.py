"""Define BERT for the checks, which need neither TensorFlow nor Keras."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._arguments import bad_argument
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._fit import require_match
from safeload._model_kind import ModelKind
from safeload._scopes import Scoped, chosen_scope
from safeload.bert import _places, _vocabulary
from safeload.bert._arguments import FULL_LENGTH
from safeload.bert._config import defaults_taken, other_gelu, read_config, suspicious_keys, unusable, unused_keys
from safeload.bert._parameters import (
    FIRST_VARIABLE,
    MARKS,
    POOLER,
    POSITIONS,
    list_parameters,
    with_positions_of,
)
from safeload.bert._runtimes import GELU, GELU_ERF, GELU_TANH, LAYER_NORM_EPS
from safeload.bert._saved_config import require_agreement
from safeload.bert.namings import NAMINGS, namings_of
from safeload.bert.namings.google import SCOPE, Google
from safeload.errors import VocabularyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from safeload._forms.weight_file import WeightFile
    from safeload._model_kind import Mismatch, Places, Stored
    from safeload._naming import Naming
    from safeload.bert._arguments import BuildOptions
    from safeload.bert._config import BertConfig
    from safeload.errors import WrongFileKindError
    from safeload.report import TensorSpec

    Listed = Callable[[BertConfig, Naming, Stored], Mapping[str, TensorSpec]]

SCOPED = Scoped("encoder", first="embeddings/", usual="bert")
"""How messages call what a scope is chosen for."""


def bert(
    options: BuildOptions,
    scope: object = None,
    *,
    may_be_clipped: bool = False,
    vocabulary: dict[str, int] | None = None,
    listed: Listed | None = None,
) -> ModelKind[BertConfig]:
    """Return the `ModelKind` of a BERT.

    Args:
        options: How the model will be built.
        scope: The scope of the encoder to load, as the caller passed it; None for the only one.
        may_be_clipped: Whether `max_position_embeddings` may be smaller than the position table in the checkpoint.
        vocabulary: Receives the tokens and ids of the vocabulary, once it is read.
        listed: Lists the parameters of a class of the caller's.
    """
    tokens = {} if vocabulary is None else vocabulary
    runtime = options.runtime

    def read(places: Places) -> tuple[BertConfig, list[str], list[str]]:
        config = read_config(places.config, runtime)
        notes: list[str] = []
        warnings: list[str] = []
        if places.vocab is not None:
            tokens.update(_vocabulary.read_vocabulary(places.vocab))
            try:
                notes, warnings = _vocabulary.require_fit(tokens, config, places.vocab)
            except VocabularyError as error:
                require_match(kind, config, places.weights)  # the config may be what differs, in this and other sizes
                error.hints = ("the config and the weights agree; the vocabulary differs from both", *error.hints)
                raise
        require_config_allows(options, config)
        return config, [*notes, *defaults_taken(config)], [*warnings, *suspicious_keys(config, runtime)]

    def adapted(config: BertConfig, naming: Naming, stored: Stored) -> tuple[BertConfig, list[str]]:
        activation = options.activation
        if activation is None and config.hidden_act == GELU:
            activation = naming.gelu
        config = config._replace(activation=activation or config.activation)
        if may_be_clipped:
            return with_positions_of(config, stored(POSITIONS)), []
        if options.seq_len in (None, FULL_LENGTH):
            return config, []
        shorter = with_positions_of(config, stored(POSITIONS), least=options.seq_len)
        rows = shorter.max_position_embeddings
        note = f"the checkpoint has {rows} positions, max_position_embeddings is {config.max_position_embeddings}"
        return shorter, [note] if shorter != config else []

    def parameters(config: BertConfig, _: Naming, stored: Stored) -> Mapping[str, TensorSpec]:
        has_pooler = runtime.pooler == "always" or (runtime.pooler == "if stored" and _has_pooler(stored))
        return list_parameters(config, training=options.training, pooler=has_pooler)

    def hints(mismatch: Mismatch[BertConfig]) -> list[str]:
        from safeload.bert import _mismatch  # noqa: PLC0415  (only what does not fit needs it)

        return _mismatch.hints(mismatch, len(tokens) or None, runtime)

    kind = ModelKind(
        model=_recognise.BERT,
        config_word="config",
        example_pattern="bert/encoder/layer_*",
        find_config=_places.resolve_config,
        weights_folder=_places.weights_folder,
        find_others=_places.resolve_others,
        read=read,
        list_parameters=listed or parameters,
        recognise=lambda weights: recognise(
            weights, scope, getattr(options.torch.model_class, "base_model_prefix", "")
        ),
        hints=hints,
        unverified=unverified,
        unused_keys=lambda config: [] if options.torch.model_class else unused_keys(config.raw, runtime),
        adapted=adapted,
        activation=lambda config: config.activation,
        n_heads=lambda config: config.num_attention_heads,
        agreed=partial(_agreed, options),
        outputs_first=runtime.outputs_first,
        marks=MARKS,
    )
    return kind


def unverified(config: BertConfig) -> dict[str, object]:
    """Return the settings that no weight file can confirm; an epsilon only if it is not BERT's."""
    epsilon = config.raw.get("layer_norm_eps")
    others = {} if epsilon in (None, LAYER_NORM_EPS) else {"layer_norm_eps": epsilon}
    return {"num_attention_heads": config.num_attention_heads, "hidden_act": config.hidden_act, **others}


def recognise(weights: WeightFile, wanted: object = None, own: str = "") -> tuple[Naming, str, Mapping[str, str]]:
    """Return the naming of the variables, the scope of the encoder to load, and scope -> first variable of the other encoders.

    There are none if the caller has chosen.

    Args:
        weights: The weight file.
        wanted: The scope that the caller passed; None for the only one, or the usual one of several.
        own: The usual scope of a class of the caller's, without its separator.

    Raises:
        WrongFileKindError: The weights are of another model, such as ALBERT, ELECTRA, RoBERTa, NEZHA or a TF2
            object-based checkpoint.
        AmbiguousCheckpointError: There are several encoders, and none of them is chosen or under exactly `bert/`.
        ArgumentError: No encoder is under the scope that was passed.
    """
    found = {scope: naming for naming, scope in namings_of(weights.tensors)}
    other = _recognise.other_tensors(_recognise.BERT, weights.tensors, weights.groups)
    if other is not None and (not found or other.has_berts_names):
        raise _wrong_weights(weights, FileKind("other", other.name, other.hint))
    scoped = SCOPED._replace(usual=own) if own and own in {each.rstrip("/.") for each in found} else SCOPED
    scope = chosen_scope(list(found), wanted, scoped, title=weights.title, facts=weights.ref.facts)
    if scope is None:
        return NAMINGS[0], SCOPE, {}
    naming = found[scope]
    other = _recognise.other_encoder(f"{scope.replace('.', '/')}{FIRST_VARIABLE}")
    if other is not None:
        raise _wrong_weights(weights, FileKind("other", other.name, other.hint))
    if lacks_positions(weights.tensors, naming, scope):
        name = "NEZHA, or another BERT without absolute positions"
        raise _wrong_weights(weights, FileKind("nezha", name, "load it with a library for NEZHA"))
    others = {
        each: other_naming.stored_as(FIRST_VARIABLE, each, weights.tensors)[0]
        for each, other_naming in found.items()
        if each != scope and wanted is None
    }
    return naming, scope, others


def _agreed(
    options: BuildOptions, config: BertConfig, naming: Naming, weights: WeightFile
) -> tuple[BertConfig, list[str]]:
    """Return the config with the activation of a saved model, and a warning where it is not certain."""
    is_chosen = options.activation is not None
    activation = require_agreement(config, weights, activation_is_chosen=is_chosen)
    warnings: list[str] = []
    if activation is not None:
        config = config._replace(activation=activation)
    elif not is_chosen and not isinstance(naming, Google):  # whose code computes it by tanh, whoever wrote the config
        warnings = other_gelu(config, naming)
    _require_gelu(options, config)
    return config, warnings


def _require_gelu(options: BuildOptions, config: BertConfig) -> None:
    """Require a form of GELU that the runtime has.

    Raises:
        ArgumentError: It does not have the one that the caller chose.
        ConfigError: It does not have the one that the weights were trained with.
    """
    runtime, found = options.runtime, config.activation
    if found not in (GELU_ERF, GELU_TANH) or found in runtime.gelus:
        return
    only = " or ".join(runtime.gelus)
    if options.activation is not None:
        raise bad_argument(
            "activation", found, f"{only} for backend={runtime.id!r}", ["leave it out, or take another backend"]
        )
    text = f"{config.hidden_act} is {found} in these weights, and {runtime.id} computes {only} alone"
    hints = [f'pass activation="{only}" to accept the other form', 'or pass backend="transformers", which has both']
    raise unusable(config, "hidden_act", text, hints)


def _has_pooler(stored: Stored) -> bool:
    return any(stored(f"{POOLER}/{part}") is not None for part in ("kernel", "bias"))


def lacks_positions(names: Collection[str], naming: Naming, scope: str) -> bool:
    """Return whether only the table of absolute positions is missing, as in NEZHA."""
    first, positions = (naming.stored_as(name, scope, names)[0] for name in (FIRST_VARIABLE, POSITIONS))
    return (
        first in names
        and positions not in names
        and any(naming.canonical(name, scope).startswith("bert/encoder/layer_0/") for name in names)
    )


def _wrong_weights(weights: WeightFile, kind: FileKind) -> WrongFileKindError:
    role, path = weights.files()[0]
    return wrong_kind(weights.ref.at(path, role), kind, wanted="the weights of a BERT")


def require_config_allows(options: BuildOptions, config: BertConfig) -> None:
    """Require build options that fit the config.

    Raises:
        ArgumentError: `seq_len` exceeds the position table, or an output layer does not exist.
    """
    limit, layers = config.max_position_embeddings, config.num_hidden_layers
    contradicted = {"label": "config", "resolved": config.path}
    if options.seq_len is not None and limit < options.seq_len != FULL_LENGTH and not options.clipped:
        wanted = f"at most max_position_embeddings={limit}"
        hints = [f"pass seq_len={limit} or less, or leave it out for the full length"]
        raise bad_argument("seq_len", options.seq_len, wanted, hints, **contradicted)
    if options.activation is not None and config.activation not in (GELU_ERF, GELU_TANH):
        hints = [f"leave it out: hidden_act is {config.hidden_act}"]
        raise bad_argument("activation", options.activation, "None for a config without GELU", hints, **contradicted)
    number = options.output_layer_num
    if isinstance(number, int) and number > layers and not options.clipped:
        wanted = f"at most num_hidden_layers={layers}"
        raise bad_argument("output_layer_num", number, wanted, [f"pass {layers} or less"], **contradicted)
    for index in number if isinstance(number, tuple) else ():
        if not -layers <= index < layers:
            wanted = f"layers from {-layers} to {layers - 1}"
            hints = ["layers are counted from 0; negative numbers count from the end"]
            raise bad_argument("output_layer_num", index, wanted, hints, **contradicted)
