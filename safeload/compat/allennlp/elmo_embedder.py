"""Replace AllenNLP 0.9's `ElmoEmbedder`, which left AllenNLP in 1.0: the same calls and results, without AllenNLP.

Source:
    allennlp/commands/elmo.py, ElmoEmbedder, AllenNLP 0.9.0.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from safeload import elmo
from safeload._arguments import as_python, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._bytes.paths import resolve_path
from safeload._bytes.writing import atomic_write
from safeload._forms.hdf5.writing import new_hdf5
from safeload._frameworks.elmo import require_torch
from safeload._reports import remember, report_of
from safeload._text.progress import progress_on_stderr
from safeload.compat.allennlp import _cache
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath


logger = logging.getLogger(__name__)

_PUBLISHED = (
    "https://s3-us-west-2.amazonaws.com/allennlp/models/elmo/2x4096_512_2048cnn_2xhighway/"
    "elmo_2x4096_512_2048cnn_2xhighway_"
)
DEFAULT_OPTIONS_FILE = f"{_PUBLISHED}options.json"
DEFAULT_WEIGHT_FILE = f"{_PUBLISHED}weights.hdf5"
DEFAULT_BATCH_SIZE = 64
SENTENCE_TO_INDEX = "sentence_to_index"
OUTPUT_FORMATS = ("all", "top", "average")


class ElmoEmbedder:
    """Vectors of each layer of an ELMo for sentences of words.

    The LSTMs keep their state between calls, so the same sentence gives other vectors the second time. The state belongs to
    a position in the batch, so sentences are embedded in the order in which you pass them, and never sorted by length.

    Attributes:
        elmo_bilm: The biLM, safeload's own torch module.
        cuda_device: The GPU, -1 for the CPU.
    """

    @typed_errors
    def __init__(
        self,
        options_file: StrPath = DEFAULT_OPTIONS_FILE,
        weight_file: StrPath | None = DEFAULT_WEIGHT_FILE,
        cuda_device: int = -1,
    ) -> None:
        """Load the ELMo.

        Args:
            options_file: As in `safeload.load_elmo`. Defaults to the address of the original ELMo.
            weight_file: As in `safeload.load_elmo`. If you pass only options, defaults to the weights in their folder.
            cuda_device: The GPU to run on, -1 for the CPU.

        Raises:
            ArgumentError: `cuda_device` is not a GPU that torch finds.
            SafeLoadError: As `safeload.load_elmo`.
        """
        self.cuda_device = _device(cuda_device)
        if weight_file == DEFAULT_WEIGHT_FILE and options_file != DEFAULT_OPTIONS_FILE:
            weight_file = None
        files = _cache.cached(options_file, "options_file"), _cache.cached(weight_file, "weight_file")
        module = elmo.load_elmo(*files, 1, dropout=0.0, backend="torch")
        self.elmo_bilm = module._elmo_lstm  # noqa: SLF001  (AllenNLP's name)
        if self.cuda_device >= 0:
            self.elmo_bilm = self.elmo_bilm.cuda(device=self.cuda_device)
        remember(self, report_of(module))

    @typed_errors
    def batch_to_embeddings(self, batch: Sequence[Sequence[str]]) -> tuple[Any, Any]:
        """Return the vectors of a batch as torch tensors.

        Args:
            batch: One list of words per sentence.

        Returns:
            Vectors `(sentences, n_layers + 1, words of the longest, 2 * projection_dim)`, and their mask
            `(sentences, words of the longest)`, int64, 1 for a word.

        Raises:
            ArgumentError: `batch` is not a list of lists of words, or is empty.
        """
        torch = require_torch()
        ids = elmo.ids_tensor(batch, "batch")
        if self.cuda_device >= 0:
            ids = ids.cuda(device=self.cuda_device)
        layers = torch.stack(self.elmo_bilm(ids)["activations"], dim=1)
        lengths = torch.tensor([len(sentence) for sentence in batch], device=layers.device)
        mask = torch.arange(layers.size(2) - 2, device=layers.device) < lengths.unsqueeze(1)
        return layers[:, :, 1:-1] * mask[:, None, :, None], mask.long()

    @typed_errors
    def embed_sentence(self, sentence: Sequence[str]) -> NDArray[Any]:
        """Return the vectors of one sentence, `(n_layers + 1, words, 2 * projection_dim)`.

        Raises:
            ArgumentError: `sentence` is not a list of words.
        """
        return self.embed_batch([sentence])[0]

    @typed_errors
    def embed_batch(self, batch: Sequence[Sequence[str]]) -> list[NDArray[Any]]:
        """Return the vectors of each sentence, `(n_layers + 1, words, 2 * projection_dim)` float32.

        A sentence without words gives an array of zero words, float64 as in AllenNLP.

        Raises:
            ArgumentError: `batch` is not a list of lists of words, or is empty.
        """
        batch = _listed(batch)
        if isinstance(batch, list):
            batch = list(map(_listed, batch))
        if batch == [[]]:  # not run, as in AllenNLP: the state stays
            return [self._no_words()]
        vectors, _ = self.batch_to_embeddings(batch)
        rows = vectors.detach().cpu().numpy()
        return [
            rows[number, :, : len(sentence)] if len(sentence) else self._no_words()
            for number, sentence in enumerate(batch)
        ]

    def embed_sentences(
        self, sentences: Iterable[Sequence[str]], batch_size: int = DEFAULT_BATCH_SIZE
    ) -> Iterator[NDArray[Any]]:
        """Yield the vectors of each sentence like `embed_batch`, reading `batch_size` sentences at once.

        Raises:
            ArgumentError: A sentence is not a list of words, or `batch_size` is not a positive int.
        """
        size = _batch_size(batch_size)
        if isinstance(sentences, (str, bytes)) or not isinstance(sentences, Iterable):
            hints = ["split each sentence into words: [['A', 'good', 'film'], ['Bad']]"]
            raise bad_argument("sentences", sentences, "an iterable of lists of words", hints)
        return self._embedded(iter(sentences), size)

    @typed_errors
    def embed_file(
        self,
        input_file: IO[str],
        output_file_path: StrPath,
        output_format: str = "all",
        batch_size: int = DEFAULT_BATCH_SIZE,
        forget_sentences: bool = False,  # noqa: FBT001, FBT002
        use_sentence_keys: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Embed each line of a file and write the vectors to an HDF5 file, with progress on a terminal.

        The HDF5 file has a dataset for each line, float32, named by its number from 0, and `sentence_to_index`, a JSON object
        of sentence -> that number. It is written under a temporary name and then moved; if it fails, an older file is kept.

        Args:
            input_file: An open text file with one sentence per line and spaces between words. It is closed at the end.
            output_file_path: The HDF5 file to write. An older one is replaced.
            output_format: "all" for the layers, `(n_layers + 1, words, 2 * projection_dim)`; "top" for the last one and
                "average" for their mean, `(words, 2 * projection_dim)`.
            batch_size: How many sentences to embed at once.
            forget_sentences: Whether to leave out `sentence_to_index`.
            use_sentence_keys: Whether to name the datasets by the sentences. Then there is no `sentence_to_index`.

        Raises:
            ArgumentError: An argument is invalid, a line is empty, or a sentence occurs twice or cannot be a name.
            InvalidPathError: `output_file_path` is invalid.
            MissingFileError: The folder of the output does not exist.
            UnreadableFileError, FileSystemError: The system cannot write.
        """
        if output_format not in OUTPUT_FORMATS:
            raise bad_argument(
                "output_format", output_format, f"one of {', '.join(OUTPUT_FORMATS)}", ["the default is all"]
            )
        size, path = _batch_size(batch_size), resolve_path(output_file_path, argument="output_file_path")
        sentences = _lines(input_file)
        names = _keys(sentences) if use_sentence_keys else [str(number) for number in range(len(sentences))]
        with atomic_write(path, role="output") as new, new_hdf5(new.path) as file:
            with progress_on_stderr(len(sentences), "embedding") as advance:
                found = self._embedded((sentence.split() for sentence in sentences), size)
                for number, (name, vectors) in enumerate(zip(names, found, strict=True)):
                    _write(file, name, _formatted(vectors, output_format))
                    advance(number + 1)
            if not forget_sentences and not use_sentence_keys:
                _write_sentences(file, dict(zip(sentences, names, strict=True)))
        input_file.close()

    def _embedded(self, sentences: Iterator[Sequence[str]], size: int) -> Iterator[NDArray[Any]]:
        while batch := list(islice(sentences, size)):
            yield from self.embed_batch(batch)

    def _no_words(self) -> NDArray[Any]:
        import numpy as np  # noqa: PLC0415  (not for `import safeload`)

        return np.zeros((self.elmo_bilm.num_layers, 0, self.elmo_bilm.get_output_dim()))


def _device(cuda_device: object) -> int:
    device = as_python(cuda_device)
    if not is_int(device):
        raise bad_argument("cuda_device", cuda_device, "an int", ["pass -1 for the CPU"])
    if device >= 0:
        n_found = require_torch().cuda.device_count()
        if device >= n_found:
            hints = ["pass -1 for the CPU"]
            raise bad_argument("cuda_device", cuda_device, f"below {n_found}, as torch finds {n_found} GPUs", hints)
    return device


def _batch_size(batch_size: object) -> int:
    size = as_python(batch_size)
    if not is_int(size) or size < 1:
        raise bad_argument("batch_size", batch_size, "an int from 1", [f"AllenNLP's default is {DEFAULT_BATCH_SIZE}"])
    return size


def _listed(values: Any) -> Any:  # noqa: ANN401  (validated by `ids_tensor`)
    """Return a list of what an iterable gives; a text, and what is no iterable, as it is."""
    is_text = isinstance(values, (str, bytes))
    return values if is_text or not isinstance(values, Iterable) else list(values)


def _lines(input_file: Any) -> list[str]:  # noqa: ANN401  (validated here)
    """Return the lines without the spaces around them.

    Raises:
        ArgumentError: `input_file` is not an open text file, or a line is empty.
    """
    if isinstance(input_file, (str, bytes)) or not hasattr(input_file, "close"):
        raise bad_argument("input_file", input_file, "an open text file", ["pass open(path, encoding='utf-8')"])
    lines = [line.strip() for line in input_file]
    if any(isinstance(line, bytes) for line in lines):
        message = "input_file is open in binary mode, but the words must be text"
        raise ArgumentError(message, argument="input_file", hints=["pass open(path, encoding='utf-8')"])
    empty = [str(number) for number, line in enumerate(lines) if not line]
    if empty:
        message = f"input_file has {len(empty)} empty lines, which have no words to embed"
        details = [f"line {number}, counted from 0" for number in empty]
        raise ArgumentError(message, argument="input_file", details=details, hints=["remove the empty lines"])
    return lines


def _keys(sentences: list[str]) -> list[str]:
    """Return the sentences as names of datasets.

    Raises:
        ArgumentError: A sentence occurs twice.
    """
    logger.warning("sentences with slashes make groups in the HDF5 file when they are used as keys")
    seen: set[str] = set()
    twice = [sentence for sentence in sentences if sentence in seen or seen.add(sentence)]  # type: ignore[func-returns-value]
    if twice:
        message = f"use_sentence_keys needs different sentences, but {len(twice)} occur again"
        hints = ["leave use_sentence_keys out: the keys are then the numbers of the lines"]
        raise ArgumentError(message, argument="use_sentence_keys", details=twice, hints=hints)
    return sentences


def _formatted(vectors: NDArray[Any], output_format: str) -> NDArray[Any]:
    if output_format == "all":
        return vectors
    found: NDArray[Any] = vectors[-1] if output_format == "top" else vectors.mean(axis=0)
    return found


def _write(file: Any, name: str, values: NDArray[Any]) -> None:  # noqa: ANN401  (an h5py.File)
    try:
        file.create_dataset(name, values.shape, dtype="float32", data=values)
    except (ValueError, RuntimeError, TypeError) as exc:
        message = f"the sentence {name!r} cannot be the name of a dataset in HDF5"
        hints = ["leave use_sentence_keys out: the keys are then the numbers of the lines"]
        raise ArgumentError(message, argument="use_sentence_keys", hints=hints) from exc


def _write_sentences(file: Any, indices: dict[str, str]) -> None:  # noqa: ANN401  (an h5py.File)
    import h5py  # noqa: PLC0415  (not for `import safeload`)

    dataset = file.create_dataset(SENTENCE_TO_INDEX, (1,), dtype=h5py.special_dtype(vlen=str))
    dataset[0] = json.dumps(indices)
