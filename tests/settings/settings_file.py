"""The same settings in every format."""

from __future__ import annotations

import textwrap

import pytest

from safeload import read_settings
from safeload.errors import ConfigError

ELMO = {
    "ini": """
        [DEFAULT]
        dropout = 0.25
        author = someone

        [ELMO]
        options_file = models/options.json
        Weight_File: ~/weights.hdf5
        num_output_representations = 2
        requires_grad = yes
        scalar_mix_parameters = 0.5, 0.5, -1
        vocab_to_cache = the
            cat
        ignore_unused = ["extra/*", "more"]
        backend = torch

        [OTHER]
        anything = 50%
        """,
    "toml": """
        [ELMO]
        options_file = "models/options.json"
        weight_file = "~/weights.hdf5"
        num_output_representations = 2
        requires_grad = true
        scalar_mix_parameters = [0.5, 0.5, -1]
        vocab_to_cache = ["the", "cat"]
        ignore_unused = ["extra/*", "more"]
        backend = "torch"
        dropout = 0.25
        """,
    "yaml": """
        ELMO:
            options_file: models/options.json
            weight_file: ~/weights.hdf5
            num_output_representations: 2
            requires_grad: true
            scalar_mix_parameters: [0.5, 0.5, -1]
            vocab_to_cache: [the, cat]
            ignore_unused: ["extra/*", more]
            backend: torch
            dropout: 0.25
        """,
}
ELMO["cfg"] = ELMO["ini"]
ELMO["yml"] = ELMO["yaml"]


def written(tmp_path, text, name="config.ini"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text).strip() + "\n")
    return path


def problems_of(path, section):
    with pytest.raises(ConfigError) as caught:
        read_settings(path, section)
    return [(problem.key, problem.line) for problem in caught.value.problems]
