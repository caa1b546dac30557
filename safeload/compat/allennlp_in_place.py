"""Put safeload's `ElmoTokenEmbedder` in the place of AllenNLP's: `allennlp train --include-package safeload.compat.allennlp_in_place`.

From then on "elmo_token_embedder" in a config is `safeload.compat.allennlp.ElmoTokenEmbedder`.
"""

from __future__ import annotations

from safeload.compat.allennlp.embedder import ElmoTokenEmbedder, TokenEmbedder

TokenEmbedder.register("elmo_token_embedder", exist_ok=True)(ElmoTokenEmbedder)
