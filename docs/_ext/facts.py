"""Facts for the pages, as Markdown: tables, messages and help texts, each taken from the code or from what it does."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import bert_files
import click
import house

import safeload
from safeload import errors, testing
from safeload._bytes.files import FileRef
from safeload.bert._config import DEFAULTS, validate_config
from safeload.bert._parameters import list_parameters as bert_parameters
from safeload.bert._runtimes import SEGMENTS
from safeload.bert.builders.keras_targets import target_of
from safeload.cli import main
from safeload.elmo._options import published_options
from safeload.elmo._parameters import list_parameters as elmo_parameters
from safeload.testing._elmo_forms import ELMO_FORMS
from safeload.testing._forms import FORMS as BERT_FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests/faults/golden"
SAID = ROOT / "tests/reports/said"
SAID_IN_A_LINE = {
    "handled": "safeload loads it",
    "noted": "safeload loads it, with a note in the report",
    "warned": "safeload loads it and warns",
    "told": "The command prints",
}
BERT_BASE = {**DEFAULTS, "type_vocab_size": SEGMENTS}
EXAMPLES = {
    "InvalidPathError": ["bert/path_with_unset_variable", "bert/path_with_tab_from_a_backslash"],
    "MissingFileError": ["bert/config_misspelt", "elmo/folder_one_level_too_high"],
    "CheckpointNotFoundError": ["bert/index_renamed_by_a_browser", "bert/shard_missing"],
    "FileSystemError": ["elmo/weights_that_the_system_cannot_read"],
    "WrongFileKindError": ["bert/shard_is_an_lfs_pointer", "elmo/exchanged_arguments"],
    "AmbiguousCheckpointError": ["bert/folder_with_two_checkpoints", "elmo/folder_with_two_weights"],
    "CorruptFileError": ["bert/shard_with_a_flipped_bit", "elmo/the_weights_are_cut"],
    "UnsafeFileError": ["bert/state_file_leads_out", "elmo/external_link"],
    "ConfigError": ["bert/config_with_three_bad_keys", "elmo/the_options_are_those_for_training"],
    "VocabularyError": ["bert/vocab_with_a_token_twice", "bert/the_vocabulary_has_a_token_more"],
    "VariableMismatchError": ["bert/config_has_another_vocab_size", "elmo/the_options_have_a_layer_less"],
    "ArgumentError": ["bert/signature_without_a_key"],
    "MissingDependencyError": ["bert/remote_address"],
    "OutputMismatchError": ["bert/outputs_of_other_sizes", "bert/outputs_of_a_vocabulary_shifted_by_one"],
    "LockError": ["bert/locked_vocab_changed", "elmo/locked_options_changed", "bert/signature_of_an_identity"],
}
"""The messages that the page of errors shows, of each class that a check of a folder, or a load before it builds, can raise."""


LIMITS = {
    "_bytes.remote.http": {
        "MAX_REDIRECTS": "redirects of one request",
        "MAX_PAGE_BYTES": "bytes of a page on which a server lists a folder",
    },
    "_bytes.windows": {"MAX_PLAIN": "characters of a Windows path, beyond which it gets a prefix"},
    "lock._signed": {"MAX_LINKS": "links that are followed on the way to a signed file"},
    "_bytes.remote.attempts": {"MAX_WAIT": "seconds that a server may ask to wait before the next attempt"},
    "_json": {"MAX_JSON_BYTES": "bytes of a config or options file", "MAX_DIGITS": "digits of an integer in JSON"},
    "bert._config": {
        "MAX_LAYERS": "layers of a BERT",
        "MAX_SIZE": "any other size of a BERT's config",
        "MAX_LABELS": "labels of a head, where the model is built with transformers",
    },
    "bert._vocabulary": {"MAX_VOCAB_BYTES": "bytes of a vocabulary", "MAX_TOKENS": "lines of a vocabulary"},
    "elmo._options": {
        "MAX_LAYERS": "LSTM layers, and highway layers, of an ELMo",
        "MAX_FILTERS": "convolutions of an ELMo",
        "MAX_SIZE": "any other size of an ELMo's options",
    },
    "elmo._vocabulary": {"MAX_VOCAB_BYTES": "bytes of a vocabulary beside an ELMo, before and after it is unpacked"},
    "_outputs.file": {
        "MAX_LAYERS": "layers in a file of expected outputs",
        "MAX_VECTORS": "vectors of a layer there, and ids of its texts",
    },
    "_compare": {"MAX_DIGITS": "digits of a layer number in a name; a longer number is not read as a layer"},
    "_caches": {
        "MAX_ENTRIES": "entries of another library's cache that are searched for models",
        "MAX_DEPTH": "levels of folders there",
    },
    "weights._places": {
        "MAX_FOLDERS": "folders that are searched for weights, below one without weights",
        "MAX_DEPTH": "levels of such folders",
    },
    "_forms.shards": {"MAX_FILES": "files in the index of a model in several files"},
    "_forms.safetensors.header": {
        "MAX_HEADER_BYTES": "bytes of a safetensors file's header",
        "MAX_ENTRIES": "tensors in a safetensors file",
        "MAX_AXES": "dimensions of a tensor in a safetensors file",
    },
    "_bytes.archives.kept": {"MAX_KEPT_BYTES": "bytes of a compressed file that is kept in memory while it is read"},
    "_bytes.kinds": {
        "MAX_ZIPPED": "members of a PyTorch file",
        "MAX_USER_BLOCK_BYTES": "bytes before an HDF5 file begins",
    },
    "_bytes.tfhub": {"MAX_DESCRIPTOR_BYTES": "bytes of a descriptor in TF-Hub's cache that are read"},
    "_bytes.archives.members": {
        "MAX_MEMBERS": "members of an archive",
        "MAX_NAME_BYTES": "bytes of a member's name",
        "MAX_EXPANSION": "ratio of a member's bytes, or of an unpacked .tar.gz's, to the compressed ones, beyond",
        "MIN_EXPANDED_BYTES": "bytes that an archive may always unpack to",
    },
    "_bytes.archives.zips": {"MAX_DIRECTORY_BYTES": "bytes of a zip's central directory"},
    "_bytes.archives.tars": {"MAX_HEADER_BYTES": "bytes of a header before a tar's member"},
    "_forms.torch.pickle": {
        "MAX_PICKLE_BYTES": "bytes of the pickle in a PyTorch file",
        "MAX_OPCODES": "opcodes of that pickle",
        "MAX_STRING_BYTES": "bytes of a string in it",
        "MAX_MARKS": "levels of open marks in it",
    },
    "_forms.torch.calls": {"MAX_AXES": "dimensions of a tensor in a PyTorch file"},
    "_forms.torch.state": {
        "MAX_NAMED": "tensors in a PyTorch file",
        "MAX_ENTRIES": "entries in the dicts of a PyTorch file",
        "MAX_NAME_CHARS": "characters of a tensor's name there",
        "MAX_DEPTH": "levels of dicts there",
    },
    "_forms.torch.file": {
        "MAX_REPEATS": "times the bytes of a PyTorch file that its tensors may have together, or",
        "MIN_REPEATED_BYTES": "bytes, whichever is more",
    },
    "_forms.tensorflow.prefixes": {"MAX_STATE_BYTES": "bytes of a checkpoint state file"},
    "_forms.tensorflow.sstable": {"MAX_TABLE_BYTES": "bytes of an index file, before and after its keys are unpacked"},
    "_forms.tensorflow.index_file": {
        "MAX_VARIABLES": "variables of a checkpoint, and parts of variables",
        "MAX_KEY_BYTES": "bytes of a variable's name",
    },
    "_forms.tensorflow.object_graph": {
        "MAX_GRAPH_BYTES": "bytes of an object graph, and of the names of its slots",
        "MAX_NODES": "objects of an object graph",
        "MAX_FIELDS": "fields of an object graph",
    },
    "_forms.tensorflow.protobuf": {"MAX_RANK": "dimensions of a variable"},
    "_forms.hdf5.listing": {
        "MAX_OBJECTS": "groups and datasets of an HDF5 file",
        "MAX_DEPTH": "levels of groups",
        "MAX_NAME_BYTES": "bytes of a group's or dataset's name",
        "MAX_EXPANSION": "ratio of a chunked dataset's declared bytes to the file's",
        "MAX_COMPACT_BYTES": "bytes of a compact dataset",
    },
    "_forms.hdf5.file": {
        "MAX_SHOWN_BYTES": "unpacked bytes of a dataset in chunks that `inspect --stats` or `diff` reads, and",
        "MAX_SHOWN_EXPANSION": "times the file's bytes, whichever is more",
    },
    "_forms.hdf5.chunks": {
        "MAX_CHUNKS": "chunks of a dataset",
        "MAX_RATIO": "ratio of an unpacked chunk's bytes to a stored one's",
        "MIN_CHUNK_BYTES": "bytes of an unpacked chunk, unless the dataset itself has more",
    },
    "_forms.hdf5.trees": {
        "MAX_TREE_DEPTH": "levels of a B-tree",
        "MAX_HEADER_BYTES": "bytes of an object's header",
        "MAX_HEADER_BLOCKS": "blocks of an object's header",
    },
    "_forms.hdf5.attributes": {
        "MAX_TEXT_BYTES": "bytes of a text that Keras stores in a model, such as its config",
        "MAX_HEAP_ITEMS": "texts in the heaps of an HDF5 file",
    },
    "lock": {"MAX_LOCK_BYTES": "bytes of a lock file", "MAX_BITS": "bits of a number in a lock file"},
    "lock._differences": {
        "MAX_TEXT_BYTES": "bytes of a file that differs from its lock and is compared without its line endings"
    },
    "_signatures.verifying": {"MAX_SIGNATURE_BYTES": "bytes of a signature file"},
    "_signatures.trusted": {"MAX_PEM_BYTES": "bytes of a file with a public key or certificates"},
    "settings._sections": {
        "MAX_SETTINGS_BYTES": "bytes of a settings file",
        "MAX_KEYS": "keys of a section",
        "MAX_SPACES": "spaces in a row in INI",
        "MAX_YAML_PAIRS": "keys of a YAML mapping after `<<` has merged others into it",
    },
    "settings._keys": {"MAX_BITS": "bits of a number in a settings file"},
    "_text.toml": {"MAX_KEY_STEPS": "nested tables that dotted keys and headers in TOML open"},
    "fleet._ahead": {"MAX_AHEAD": "models that are found but not yet checked"},
    "fleet._listing": {"MAX_SORTED": "folders in one folder that are sorted by name"},
    "cli._checking": {"MAX_HELD": "results that wait for an earlier model"},
    "cli._inspection": {"MAX_MODELS": "models of a folder that `inspect` lists"},
    "cli.formats.html": {"MAX_TEXT": "characters of a message on a page of results"},
    "_text.words": {"MAX_LINE": "characters of a line of a message; the rest is left out"},
}
"""Module -> limit -> what it bounds."""


@functools.cache
def public_names() -> frozenset[str]:
    """Return the names that pages of the reference describe, as docstrings write them."""
    exceptions = {name for name, found in vars(errors).items() if isinstance(found, type)}
    layers = {f"safeload.keras.{name}" for name in ("ElmoLayer", "ElmoMean", "ElmoText", "ElmoTokens")}
    names = {*safeload.__all__, *testing.__all__, *exceptions, *layers}
    return frozenset(names | {f"safeload.{name}" for name in safeload.__all__})


def public_modules() -> set[str]:
    """Return the modules that define the public calls."""
    return {getattr(safeload, name).__module__ for name in safeload.__all__ if callable(getattr(safeload, name))}


def linked(line: str) -> str:
    """Return a line of a docstring with its code marked as such, and with links where that is a public name."""

    def marked(match: re.Match[str]) -> str:
        name = match[1].removesuffix("(...)")
        return f":py:obj:`{name}`" if name in public_names() else f"``{match[1]}``"

    return re.sub(r"(?<![`:\w])`([^`]+)`(?![`_])", marked, line)


def keras_layer(module: str, name: str) -> str:
    """Return the description of a class of `safeload.keras`, from its source: it could be imported with TensorFlow only."""
    from sphinx.ext.napoleon import Config, GoogleDocstring  # noqa: PLC0415  (for the site alone)

    tree = ast.parse((ROOT / f"safeload/elmo/builders/{module}.py").read_text(encoding="utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    made = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    for node in made:
        node.args.args.pop(0)
    docs = inspect.cleandoc("\n\n".join(text for node in (found, *made) if (text := ast.get_docstring(node))))
    config = Config(napoleon_use_ivar=True, napoleon_custom_sections=["Source"])
    lines = str(GoogleDocstring(docs, config)).replace("Make a layer without weights.\n", "").splitlines()
    text = "\n".join(f"   {linked(line)}" for line in lines)
    arguments = "".join(ast.unparse(node.args) for node in made)
    return f"```{{eval-rst}}\n.. py:class:: safeload.keras.{name}({arguments})\n\n{text}\n```\n"


def bert_variables(part: str) -> str:
    """Return the table of the variables of BERT-Base that keras-bert reads: "encoder", or "heads"."""
    config = validate_config(BERT_BASE, FileRef(path="BERT-Base", role="config"))
    encoder = bert_parameters(config, training=False)
    rows = []
    for name, spec in bert_parameters(config, training=True).items():
        if (name in encoder) != (part == "encoder") or "layer_" in name.replace("layer_0", ""):
            continue
        target = target_of(name)
        graph = target.name.replace("Encoder-1-", "Encoder-(N+1)-")
        how = {"": "", "rows": "<br>of which the first `seq_len` rows", "transposed": "<br>transposed"}[target.change]
        rows.append((f"`{name.replace('layer_0', 'layer_N')}`<br>`{graph}`", f"`{spec.shape_text()}`{how}"))
    return long_names(table(("Name in the checkpoint, and below it in the model graph", "Shape"), rows))


def elmo_datasets() -> str:
    """Return the table of the datasets of the original ELMo."""
    specs = elmo_parameters(published_options()).values()
    return long_names(table(("Dataset", "Shape"), [(f"`{spec.name}`", f"`{spec.shape_text()}`") for spec in specs]))


FORMS = (
    ("the prefix", "bert_model.ckpt"),
    ("the index file", "bert_model.ckpt.index"),
    ("a data shard", "bert_model.ckpt.data-00000-of-00001"),
    ("the meta graph file, which need not exist", "bert_model.ckpt.meta"),
    ("the folder", ""),
    ("the folder, with a checkpoint state file in it", ""),
    ("the checkpoint state file", "checkpoint"),
)


def checkpoint_forms() -> str:
    """Return the table of the forms of a checkpoint's path, each tried on a tiny BERT."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = testing.write_bert_checkpoint(Path(name) / "uncased")
        for what, last in FORMS:
            if "state file" in what:
                (folder / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n', encoding="ascii")
            report = safeload.check_bert(folder, folder / last)
            index = next(file.path for file in report.files if file.role == "index")
            if index != os.path.join(folder, "bert_model.ckpt.index"):
                message = f"{last} means {index}"
                raise ValueError(message)
            rows.append((what, f"`{os.path.join('models/uncased', last)}`", report.place))
    return long_names(table(("What you pass", "Example", "`place` in the report"), rows))


def bert_forms() -> str:
    """Return the table of the forms of a BERT's weights; each is written, and loaded as the table says."""
    written = [(row.writer, functools.partial(testing.write_bert, form=form)) for form, row in BERT_FORMS.items()]
    rows = sorted((_form_row(*each) for each in (*written, *bert_files.MORE)), key=lambda row: row[:2])
    head = ("`form`", "`naming`", "Written by", "Files", "`activation` for gelu", "Checksums", "Not proven")
    return table(head, rows)


def elmo_forms() -> str:
    """Return the table of the forms of an ELMo's weights; each is written, and loaded as the table says."""
    rows = []
    for form, row in ELMO_FORMS.items():
        with tempfile.TemporaryDirectory() as name:
            report = safeload.check_elmo(testing.write_elmo(name, form=form))
        names = ", ".join(f"`{os.path.relpath(file.path, name)}`" for file in report.files if file.role != "options")
        unused = ", ".join(report.unused) or "nothing"
        checksums = report.checksums.partition(":")[0]
        rows.append((f"`{report.form}`", f"`{report.naming}`", row.writer, names, checksums, unused))
    return table(("`form`", "`naming`", "Written by", "Files", "Checksums", "Stored but not read"), rows)


def _form_row(writer: str, write: Callable[[Path], object]) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        report = safeload.check_bert(name)
        weights = [file.path for file in report.files if file.role not in ("config", "vocab")]
        files = ", ".join(f"`{Path(os.path.relpath(path, os.path.realpath(name))).as_posix()}`" for path in weights)
    proven = re.sub(r"\d+ (variable|storage)s", r"every \1", report.checksums.partition(":")[0])
    unproven = ", ".join(f"`{key}`" for key in report.taken_from_config)
    return (f"`{report.form}`", f"`{report.naming}`", writer, files, f"`{report.activation}`", proven, unproven)


def limits() -> str:
    """Return the table of limits."""
    rows = [
        (what, f"{getattr(importlib.import_module(f'safeload.{module}'), name):,}", f"`{module}.{name}`")
        for module, listed in LIMITS.items()
        for name, what in listed.items()
    ]
    return long_names(table(("Limit on", "At most", "Constant"), rows))


def faults(model: str) -> str:
    """Return the table of the faults that `safeload.testing` knows, of a "BERT" or an "ELMO"."""
    catalogue = getattr(testing, f"{model}_FAULTS")
    return table(("Name", "Error"), [(name, f"`{fault.error.__name__}`") for name, fault in catalogue.items()])


def error_classes() -> str:
    """Return a section for each class of errors: what it means, what it carries, and how it is printed."""
    parts = []
    for name, found in vars(errors).items():
        if isinstance(found, type) and issubclass(found, errors.SafeLoadError):
            parts.append(
                f"## {name}\n\n```{{eval-rst}}\n.. autoexception:: safeload.errors.{name}\n   :show-inheritance:\n```\n"
            )
            parts += [text_block(message_of(example, name)) for example in EXAMPLES.get(name, [])]
    return "\n".join(parts)


def all_messages() -> str:
    """Return every message that a check prints for the faults of the tests, by class."""
    by_class: dict[str, list[Path]] = {}
    for path in sorted(GOLDEN.rglob("*.txt")):
        by_class.setdefault(path.read_text(encoding="utf-8").split(":", 1)[0], []).append(path)
    parts = []
    for name in vars(errors):
        for path in by_class.pop(name, []):
            title = f"{path.parent.name.replace('bert', 'BERT').replace('elmo', 'ELMo')}: {path.stem.replace('_', ' ')}"
            heading = f"## {name}\n\n" if f"## {name}\n" not in "".join(parts) else ""
            parts.append(f"{heading}**{title}**\n\n{text_block(path.read_text(encoding='utf-8'))}")
    if by_class:
        message = f"messages of no class: {sorted(by_class)}"
        raise ValueError(message)
    return "\n".join(parts)


def message_of(example: str, name: str) -> str:
    """Return a golden message, which must be of this class."""
    text = (GOLDEN / f"{example}.txt").read_text(encoding="utf-8")
    if not text.startswith(f"{name}: "):
        message = f"{example} is no {name}"
        raise ValueError(message)
    return text


def said(number: str) -> str:
    """Return what safeload was seen to do with a failure that people reported."""
    kind, _, text = (SAID / f"{number}.txt").read_text(encoding="utf-8").partition("\n")
    if kind in SAID_IN_A_LINE:
        return f"**{SAID_IN_A_LINE[kind]}**: {text.strip()}."
    return f"**safeload raises**:\n\n{text_block(text)}"


def help_texts() -> str:
    """Return the help of every command."""
    return "\n".join(f"### `{name}`\n\n{text_block(text)}" for name, text in _helps(main, "safeload"))


def _helps(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    context = click.Context(command, parent=parent, info_name=name.rsplit(" ", 1)[-1], terminal_width=88)
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            if inner is not None:
                yield from _helps(inner, f"{name} {each}", context)


def modules() -> str:
    """Return the table of the modules, with the first line of each one's docstring."""
    return table(("Module", "Purpose"), [(f"`{name}`", house.what_is(name)) for name in house.modules()])


def house_picture() -> str:
    """Return the picture of the modules, as SVG in the page."""
    return f'<figure class="house">\n{house.picture()}\n</figure>\n'


def long_names(text: str) -> str:
    """Return a table whose names may be broken anywhere, since they are longer than a phone is wide."""
    return f"````{{container}} long-names\n{text}````\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def text_block(text: str) -> str:
    """Return text as it is printed."""
    return f"```text\n{text.rstrip()}\n```\n"
