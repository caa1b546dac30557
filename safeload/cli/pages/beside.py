"""Say what is beside the weights of a page: their digest, and the config in the same folder."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from safeload._arguments import is_int
from safeload._bytes import absent
from safeload._bytes.addresses import is_address
from safeload._digest import digest_of_tensors
from safeload._forms.tensorflow.prefixes import ASSETS, saved_model_of
from safeload._json import read_json_object, shown
from safeload._published import published_bert, published_elmo
from safeload._recognise import ELMO, model_of_config
from safeload._text.html import escape
from safeload.cli.pages.frame import copied
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile

N_CONFIGS = 16
"""How many JSON files of the folder are read."""

MAX_WORD = 40
"""Characters of a value in a config that is text."""

_OF_BERT = (
    ("num_hidden_layers", "{} layers"), ("hidden_size", "hidden size {}"), ("num_attention_heads", "{} heads"),
    ("intermediate_size", "intermediate size {}"), ("vocab_size", "{} tokens"), ("max_position_embeddings", "{} positions"),
    ("hidden_act", "{}"),
)  # fmt: skip
_OF_ELMO = (
    ("lstm.n_layers", "{} LSTM layers"), ("lstm.dim", "memory cell {}"), ("lstm.projection_dim", "projection {}"),
    ("char_cnn.n_highway", "{} highway layers"), ("char_cnn.n_characters", "{} characters"), ("char_cnn.embedding.dim", "character size {}"),
)  # fmt: skip


def digest_text(weights: WeightFile) -> str:
    """Return the digest of the weights, or why there is none, as HTML."""
    if is_address(weights.ref.path):
        return "not computed for an address; safeload check weights --json prints it"
    readable = [name for name in weights.tensors if weights.has_readable_type(name)]
    try:
        weights.verify(readable)
    except SafeLoadError:
        return "none, because some values are damaged or not finite"
    return f'{copied(digest_of_tensors(weights, readable), "the digest")}<br><span class="note">of all tensors, as safeload check weights --json prints it</span>'


def config_facts(weights: FileRef) -> Iterator[tuple[str, str]]:
    """Yield a fact for each config beside the weights: its name and path, and the sizes that it asks for."""
    folder = weights.folder()
    saved = saved_model_of(folder)
    places = [folder, *([saved, saved.inside(ASSETS)] if saved else [])]
    for place in {place.path: place for place in places}.values():
        names = [
            name
            for name in absent.names_in(place)
            if name.endswith(".json") and ("config" in name or "options" in name)
        ]
        for name in sorted(names)[:N_CONFIGS]:
            with suppress(SafeLoadError):  # a file that is none is of something else
                data = read_json_object(place.inside(name, "config"))
                if said := _sizes_text(data):
                    yield "Config", f"{copied(place.inside(name).path, 'the path')}<br>{escape(said)}"


def _sizes_text(data: Mapping[str, Any]) -> str:
    """Return what a config asks for; "" if it is no config of a model."""
    model = model_of_config(data)
    if model is None:
        return ""
    keys = _OF_ELMO if model == ELMO else _OF_BERT
    values = {key: _value(data, key) for key, _ in keys}
    texts = [words.format(_text(values[key])) for key, words in keys if values[key] is not None]
    sizes = {key: value for key, value in values.items() if is_int(value)}
    published = (
        published_elmo({**sizes, "sum of char_cnn.filters": _n_filters(data)})
        if model == ELMO
        else published_bert(sizes)
    )
    return f"{model[:MAX_WORD]}: {', '.join(texts)}" + (f"; the sizes of {published}" if published else "")


def _value(data: Mapping[str, Any], path: str) -> object:
    value: object = data
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str:
    if is_int(value):
        return f"{value:,}"
    return value[:MAX_WORD] if isinstance(value, str) else shown(value)


def _n_filters(data: Mapping[str, Any]) -> int:
    filters = _value(data, "char_cnn.filters")
    pairs = filters if isinstance(filters, list) else []
    return sum(pair[1] for pair in pairs if isinstance(pair, list) and len(pair) > 1 and is_int(pair[1]))
