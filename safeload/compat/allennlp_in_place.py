"""Put safeload's `ElmoTokenEmbedder` in the place of AllenNLP's: `allennlp train --include-package safeload.compat.allennlp_in_place`.

From then on "elmo_token_embedder" in a config is `safeload.compat.allennlp.ElmoTokenEmbedder`, and
`from allennlp.commands.elmo import ElmoEmbedder`, a module that AllenNLP 1.0 removed, gives safeload's `ElmoEmbedder`.
"""

from __future__ import annotations

import sys

from safeload.compat.allennlp import elmo_embedder
from safeload.compat.allennlp.embedder import ElmoTokenEmbedder, TokenEmbedder

TokenEmbedder.register("elmo_token_embedder", exist_ok=True)(ElmoTokenEmbedder)
sys.modules.setdefault("allennlp.commands.elmo", elmo_embedder)
