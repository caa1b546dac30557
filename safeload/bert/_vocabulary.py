"""Read and validate `vocab.txt`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from safeload._bytes.archives.locating import archive_at, located, lock_folder
from safeload._bytes.kinds import kind_of_data, wrong_kind
from safeload._bytes.small import read_small
from safeload._forms.tensorflow.prefixes import saved_model_of
from safeload._published import PUBLISHED_VOCAB_SIZES
from safeload.errors import UnsafeFileError, VocabularyError
from safeload.lock._copies import open_locked
from safeload.lock._finding import find_locks

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload.bert._config import BertConfig

VOCAB_NAME = "vocab.txt"
VOCABS_BELOW = ("assets/tokenizer/vocabulary.txt",)
"""Where other libraries keep the vocabulary in a model's folder: KerasHub in a preset."""

MAX_VOCAB_BYTES = 64 << 20
MAX_TOKENS = 1 << 22
PADDED_TO = (8, 64, 128)
"""Trainers round the rows of the embedding table up to a multiple of these."""

SPECIAL_TOKENS = ("[UNK]", "[CLS]", "[SEP]")


def read_vocabulary(ref: FileRef) -> dict[str, int]:
    """Return token -> id, which is the line number counted from 0.

    As in Google's BERT, only a newline ends a line. Carriage returns, spaces and tabs around a token are dropped; every
    other character belongs to the token, even a line separator or a no-break space.

    Raises:
        VocabularyError: A token is repeated, a special token is missing, or the file is not UTF-8 or has a byte order
            mark.
        WrongFileKindError: The file is of another kind, such as an HTML page, a Git LFS pointer, JSON or SentencePiece.
        MissingFileError, UnreadableFileError, UnsafeFileError: As `read_small`.

    Source:
        google-research/bert, tokenization.py, load_vocab; keras_bert/loader.py, load_vocabulary, keras-bert 0.89.0,
        which also splits at U+0085, U+2028 and form feeds, and lets a repeated token shift every later id.
    """
    data = read_small(ref, max_bytes=MAX_VOCAB_BYTES)
    kind = kind_of_data(data)
    if kind is not None:
        raise wrong_kind(ref, kind, wanted="a vocabulary with one token per line")
    n_lines = data.count(b"\n")
    if n_lines > MAX_TOKENS:
        message = f"the vocab file has {n_lines:,} lines; no model needs more than {MAX_TOKENS:,}"
        raise UnsafeFileError(message, **ref.facts)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        problem = f"line {line} is not UTF-8: byte {data[exc.start]:#04x}"
        raise _error([problem], ref, ["save the file as UTF-8"]) from exc
    tokens = [_token(line) for line in _lines(text)]
    ids = {token: number for number, token in enumerate(tokens)}
    problems, hints = _faults(tokens, ids, text)
    if problems:
        raise _error(problems, ref, hints)
    return ids


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _token(line: str) -> str:
    return line.strip(" \t\r")


def written_vocabulary(ref: FileRef) -> bytes:
    """Return a vocabulary that was read, as every library reads the same tokens from it: nothing is around a token.

    Raises:
        VocabularyError: A token has a carriage return in it, which ends a line for other libraries than Google's.
        SafeLoadError: As `read_small`.
    """
    data = read_small(ref, max_bytes=MAX_VOCAB_BYTES)
    lines = _lines(data.decode("utf-8"))
    tokens = [_token(line) for line in lines]
    problems = [
        f"line {number} has a carriage return in its token {token!r}"
        for number, token in enumerate(tokens, 1)
        if "\r" in token
    ]
    if problems:
        hints = ["other libraries than Google's would read two tokens, and shift every later id"]
        raise _error(problems, ref, hints)
    return data if tokens == lines else "".join(f"{token}\n" for token in tokens).encode("utf-8")


def read_with_locks(ref: FileRef) -> dict[str, int]:
    """Read a vocabulary by itself: it must match the lock file beside it, or that of its SavedModel, if there is one.

    Raises:
        LockError: The file does not match the lock, or the lock is invalid.
        SafeLoadError: As `read_vocabulary`.
    """
    saved = saved_model_of(ref.folder())
    folder = ref.at(lock_folder(ref.path, ref.source))
    locks = find_locks(None, folders=[folder, *([saved] if saved else [])], base_dir=None)
    if not locks:
        return read_vocabulary(located(ref))
    only = archive_at(ref.path, ref.source) or ref.path
    with closing(open_locked(locks, folder=folder.path, model="BERT", base=ref.source, only=only)) as source:
        return read_vocabulary(located(ref._replace(source=source)))


def _faults(tokens: list[str], ids: dict[str, int], text: str) -> tuple[list[str], list[str]]:
    problems, hints = [], []
    if text.startswith("\ufeff"):
        problems.append(f"line 1 starts with a byte order mark, which makes its token {tokens[0]!r}")
        hints.append("save the file as UTF-8 without a byte order mark")
    if len(ids) < len(tokens):
        seen: dict[str, int] = {}
        pairs = [(number, seen.setdefault(token, number)) for number, token in enumerate(tokens)]
        problems += [
            f"line {number + 1} repeats the token {tokens[number]!r} of line {first + 1}"
            for number, first in pairs
            if number != first
        ]
        hints.append("each token may appear once: a repeated one would shift or hide an id")
    padding = "" if tokens[0] == "" else "[PAD]"  # keras-bert's own vocabularies begin with ''
    lost = [token for token in (padding, *SPECIAL_TOKENS) if token not in ids and f"\ufeff{token}" not in ids]
    if lost:
        problems.append(f"the special token{' is' if len(lost) == 1 else 's are'} missing: {' '.join(lost)}")
        hints.append(f"this may not be a BERT vocabulary; its first lines are {tokens[:3]!r}"[:200])
    if "\r" in tokens[0]:
        hints.insert(0, "its lines end with carriage returns alone, which end none; save the file with line feeds")
    return problems, hints


def require_fit(vocabulary: dict[str, int], config: BertConfig, ref: FileRef) -> tuple[list[str], list[str]]:
    """Require a vocabulary that fits the embedding table, and return notes and warnings.

    Raises:
        VocabularyError: It has more tokens than the table has rows: ids would point nowhere.
    """
    n_tokens, vocab_size = len(vocabulary), config.vocab_size
    if n_tokens > vocab_size:
        problem = f"{n_tokens:,} tokens in the vocabulary, vocab_size is {vocab_size:,} in the config"
        hints = ["use the vocabulary and the config from the same release"]
        if "" in vocabulary:
            hints.append(
                f"line {vocabulary[''] + 1} of the vocabulary is empty; remove it if it is not meant as a token"
            )
        raise _error([problem], ref, hints, context=[("config", config.path)])
    notes: list[str] = []
    warnings: list[str] = []
    if n_tokens < vocab_size:
        is_padding = vocab_size not in PUBLISHED_VOCAB_SIZES and any(
            -(-n_tokens // multiple) * multiple == vocab_size for multiple in PADDED_TO
        )
        n_more = vocab_size - n_tokens
        text = f"the embedding table has {n_more:,} more row{'s' * (n_more > 1)} than the vocabulary has tokens"
        why = "padding" if is_padding else "the vocabulary may be cut off, or of another model"
        (notes if is_padding else warnings).append(f"{text} ({n_tokens:,}): {why}")
    if vocabulary.get("[PAD]", 0) != 0:
        notes.append(f"[PAD] has the id {vocabulary['[PAD]']}; keras-bert masks the id 0")
    if "[MASK]" not in vocabulary:
        notes.append("the vocabulary has no [MASK]")
    return notes, warnings


def _error(
    problems: list[str], ref: FileRef, hints: list[str], context: list[tuple[str, str]] | None = None
) -> VocabularyError:
    message = f"the vocabulary cannot be used: {len(problems)} fault{'s' * (len(problems) > 1)}"
    return VocabularyError(
        message, problems=problems, **ref.facts, context=context or [], details=problems, hints=hints
    )
