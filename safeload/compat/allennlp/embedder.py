"""Replace AllenNLP's `ElmoTokenEmbedder`: the same parameters in a config, with safeload's checks.

The import registers the class as "safeload_elmo_token_embedder". `safeload.compat.allennlp_in_place` registers it as
"elmo_token_embedder" too.

AllenNLP is imported at the top, since classes must be registered when `--include-package` imports them. Annotations are
objects and not text, since AllenNLP builds the arguments of a config by them.

Source:
    allennlp/modules/token_embedders/elmo_token_embedder.py, AllenNLP 2.10.1.
"""

import inspect
from typing import List, Optional  # noqa: UP035  (AllenNLP knows these)

from safeload import elmo
from safeload._arguments import as_python, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload._frameworks.elmo import choose_backend, require_torch
from safeload.compat.allennlp import _cache

choose_backend("allennlp")  # before the import below, so that a missing package is a MissingDependencyError

from allennlp.modules import token_embedders  # noqa: E402

TokenEmbedder = token_embedders.TokenEmbedder
_ORIGINAL = inspect.signature(token_embedders.ElmoTokenEmbedder).parameters
"""AllenNLP's arguments, whose defaults are the addresses of the original ELMo."""


@TokenEmbedder.register("safeload_elmo_token_embedder", exist_ok=True)
class ElmoTokenEmbedder(token_embedders.ElmoTokenEmbedder):  # type: ignore[misc]
    """AllenNLP's `ElmoTokenEmbedder`, whose ELMo `safeload.load_elmo` has verified and loaded.

    It has the same forward, outputs and `state_dict` keys.
    """

    @typed_errors
    def __init__(  # noqa: PLR0913, PLR0917  (AllenNLP's signature)
        self,
        options_file: Optional[str] = None,  # noqa: UP045
        weight_file: Optional[str] = None,  # noqa: UP045
        do_layer_norm: bool = False,  # noqa: FBT001, FBT002
        dropout: float = 0.5,
        requires_grad: bool = False,  # noqa: FBT001, FBT002
        projection_dim: Optional[int] = None,  # noqa: UP045
        vocab_to_cache: Optional[List[str]] = None,  # noqa: UP006, UP045
        scalar_mix_parameters: Optional[List[float]] = None,  # noqa: UP006, UP045
    ) -> None:
        """Load the ELMo.

        Args:
            options_file: As in `safeload.load_elmo`. Without it, the address of the original ELMo, as in AllenNLP.
            weight_file: As in `safeload.load_elmo`; with neither file, the address of the original ELMo.
            do_layer_norm: As in `safeload.load_elmo`.
            dropout: As in `safeload.load_elmo`.
            requires_grad: As in `safeload.load_elmo`.
            projection_dim: The size that a trained linear layer projects the output to.
            vocab_to_cache: As in `safeload.load_elmo`.
            scalar_mix_parameters: As in `safeload.load_elmo`.

        Raises:
            SafeLoadError: As `safeload.load_elmo`.
        """
        size = as_python(projection_dim)
        if size is not None and not (is_int(size) and size >= 0):
            hints = ["pass the size of the output, or leave it out"]
            raise bad_argument("projection_dim", projection_dim, "a positive int or None", hints)
        TokenEmbedder.__init__(self)  # AllenNLP's own would load the files
        if options_file is None:
            options_file = _ORIGINAL["options_file"].default
            weight_file = weight_file or _ORIGINAL["weight_file"].default
        self._elmo = elmo.load_elmo(
            _cache.cached(options_file, "options_file"),
            _cache.cached(weight_file, "weight_file"),
            1,
            do_layer_norm=do_layer_norm,
            dropout=dropout,
            requires_grad=requires_grad,
            vocab_to_cache=vocab_to_cache,
            scalar_mix_parameters=scalar_mix_parameters,
        )
        self.output_dim = self._elmo.get_output_dim()
        self._projection = None
        if size:
            self._projection = require_torch().nn.Linear(self.output_dim, size)
            self.output_dim = size
