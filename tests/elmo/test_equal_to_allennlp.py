"""Both backends against AllenNLP's own `Elmo(...)`, in the same process."""

from __future__ import annotations

import inspect

import pytest
import torch

import safeload
from tests.elmo.shapes import SENTENCES, SHAPES, each_shape
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, options, write_elmo
from tests.opened import ref

pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")

BATCHES = [
    SENTENCES,
    SENTENCES[:2],
    [*SENTENCES, ["Five", "rows"]],
    SENTENCES[1:],
    [[], ["after", "nothing"]],
    SENTENCES,
]
WORDS = ["@@PADDING@@", "film", "good", "A", "."]
ARGUMENTS = {
    "two_sums": {"num_output_representations": 2},
    "layer_norm": {"do_layer_norm": True},
    "boundaries": {"keep_sentence_boundaries": True, "num_output_representations": 3},
    "fixed_sum": {"scalar_mix_parameters": [-9e10, 1.0, -9e10]},
    "fixed_normed": {"scalar_mix_parameters": (0.5, 0.0, -2), "do_layer_norm": True, "keep_sentence_boundaries": True},
    "no_dropout": {"dropout": 0.0},
}


def upstream(folder, num_output_representations=1, **arguments):
    from allennlp.modules.elmo import Elmo

    return Elmo(str(folder / OPTIONS_NAME), str(folder / WEIGHTS_NAME), num_output_representations, **arguments)


def both(folder, backend, **arguments):
    return safeload.load_elmo(folder, backend=backend, **arguments), upstream(folder, **arguments)


def difference(a, b):
    assert a.keys() == b.keys()
    assert torch.equal(a["mask"], b["mask"])
    pairs = list(zip(a["elmo_representations"], b["elmo_representations"], strict=True))
    assert all(x.shape == y.shape for x, y in pairs)
    return max(float((x - y).abs().max()) for x, y in pairs)


@pytest.mark.parametrize("backend", ["allennlp", "torch"])
@each_shape
def test_parameters_are_equal_bit_by_bit(shape, backend, tmp_path):
    write_elmo(tmp_path, shape)
    ours, theirs = both(tmp_path, backend)

    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    assert [(n, p.requires_grad) for n, p in ours.named_parameters()] == [
        (n, p.requires_grad) for n, p in theirs.named_parameters()
    ]


@pytest.mark.parametrize("backend", ["allennlp", "torch"])
@each_shape
def test_outputs_are_equal_batch_after_batch(shape, backend, tmp_path):
    write_elmo(tmp_path, shape)
    ours, theirs = both(tmp_path, backend)
    ours.eval(), theirs.eval()
    with torch.no_grad():
        for batch in BATCHES:
            ids = safeload.character_ids(batch)
            assert difference(ours(ids), theirs(ids)) <= 1e-6


@pytest.mark.parametrize("backend", ["allennlp", "torch"])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_outputs_are_equal_with_each_argument(arguments, backend, elmo):
    ours, theirs = both(elmo, backend, **arguments)
    for batch in BATCHES:
        ids = safeload.character_ids(batch)
        results = []
        for module in (ours, theirs):
            torch.manual_seed(0)  # dropout is on
            results.append(module(ids))
        assert difference(*results) <= 1e-6


@each_shape
def test_gradients_are_equal(shape, tmp_path):
    write_elmo(tmp_path, shape)
    ours, theirs = both(tmp_path, "torch", requires_grad=True, dropout=0.0, do_layer_norm=True)
    for batch in BATCHES[:3]:
        for module in (ours, theirs):
            module.zero_grad()
            (module(safeload.character_ids(batch))["elmo_representations"][0] ** 2).mean().backward()
        theirs_by_name = dict(theirs.named_parameters())
        for name, parameter in ours.named_parameters():
            assert (parameter.grad - theirs_by_name[name].grad).abs().max() <= 1e-6, name
            assert theirs_by_name[name].grad.abs().max() > 0, name


@pytest.mark.parametrize("backend", ["allennlp", "torch"])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_cached_words_are_equal(backend, requires_grad, elmo):
    ours, theirs = both(elmo, backend, vocab_to_cache=WORDS, requires_grad=requires_grad, dropout=0.0)
    batch = [["A", "good", "film", "."], ["film", "."]]
    ids = safeload.character_ids(batch)
    cached = torch.tensor([[3, 2, 1, 4], [1, 4, 0, 0]])
    unknown = torch.tensor([[3, 2, 1, 99], [1, 4, 0, 0]])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert torch.allclose(
        ours.state_dict()["_elmo_lstm._word_embedding.weight"],
        theirs.state_dict()["_elmo_lstm._word_embedding.weight"],
        rtol=0,
        atol=1e-6,
    )
    for words in (cached, None, unknown, cached.view(1, 2, 4)):
        inputs = ids if words is None or words.dim() == 2 else ids.view(1, 2, 4, 50)
        assert difference(ours(inputs, words), theirs(inputs, words)) <= 1e-6
    if requires_grad:
        for module in (ours, theirs):
            module.zero_grad()
            module(ids, cached)["elmo_representations"][0].sum().backward()
        grads = [dict(m.named_parameters())["_elmo_lstm._word_embedding.weight"].grad for m in (ours, theirs)]
        assert (grads[0] - grads[1]).abs().max() <= 1e-6


def test_words_without_a_cache_are_left_aside(elmo):
    ours, theirs = both(elmo, "torch", dropout=0.0)
    ids = safeload.character_ids(SENTENCES)
    words = torch.ones(ids.shape[:2], dtype=torch.long)

    assert difference(ours(ids, words), theirs(ids, words)) <= 1e-6


@pytest.mark.parametrize("backend", ["allennlp", "torch"])
def test_inputs_of_more_dimensions(backend, elmo):
    ours, theirs = both(elmo, backend, dropout=0.0)
    ids = safeload.character_ids(SENTENCES).view(2, 2, -1, 50)

    outputs = ours(ids), theirs(ids)
    assert outputs[0]["mask"].shape == ids.shape[:3]
    assert difference(*outputs) <= 1e-6


def test_states_are_those_of_allennlp(elmo):
    ours, theirs = both(elmo, "torch", dropout=0.0)
    inner = [module._elmo_lstm._elmo_lstm for module in (ours, theirs)]
    for batch in BATCHES:
        for module in (ours, theirs):
            module(safeload.character_ids(batch))
        for a, b in zip(inner[0]._states, inner[1]._states, strict=True):
            assert a.shape == b.shape
            assert (a - b).abs().max() <= 1e-6
    mask = torch.tensor([True, False, True, False, False])
    for lstm in inner:
        lstm.reset_states(mask)
    for a, b in zip(inner[0]._states, inner[1]._states, strict=True):
        assert (a - b).abs().max() <= 1e-6
    for lstm in inner:
        lstm.reset_states()
        assert lstm._states is None


def test_a_row_without_tokens_keeps_its_state(elmo):
    ours, theirs = both(elmo, "torch")
    vectors = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    for lengths in ((4, 2, 1), (3, 0, 2), (1, 4, 0), (0, 0, 3)):
        mask = torch.arange(4) < torch.tensor(lengths).unsqueeze(1)
        outputs = [module._elmo_lstm._elmo_lstm(vectors.clone(), mask) for module in (ours, theirs)]
        assert (outputs[0] - outputs[1]).abs().max() <= 1e-6
        states = [module._elmo_lstm._elmo_lstm._states for module in (ours, theirs)]
        assert max((a - b).abs().max() for a, b in zip(*states, strict=True)) <= 1e-6


def test_a_model_saved_with_allennlp_loads(elmo, tmp_path):
    class Tagger(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.elmo = module
            self.out = torch.nn.Linear(16, 3)

    theirs = Tagger(upstream(elmo, num_output_representations=2, vocab_to_cache=WORDS))
    torch.nn.init.normal_(theirs.elmo.scalar_mix_1.gamma)
    torch.save(theirs.state_dict(), tmp_path / "tagger.th")
    ours = Tagger(safeload.load_elmo(elmo, None, 2, vocab_to_cache=WORDS, backend="torch"))
    ours.load_state_dict(torch.load(tmp_path / "tagger.th"), strict=True)

    assert torch.equal(ours.elmo.scalar_mix_1.gamma, theirs.elmo.scalar_mix_1.gamma)
    theirs.load_state_dict(ours.state_dict(), strict=True)


def test_what_allennlp_reads_is_what_is_listed(elmo, monkeypatch):
    """A contract: the table of datasets is the one that AllenNLP opens."""
    import h5py
    from allennlp.modules.elmo import Elmo

    from safeload.elmo._options import read_options
    from safeload.elmo._parameters import list_parameters

    read = set()
    original = h5py.Dataset.__getitem__

    def record(dataset, *args, **kwargs):
        read.add(dataset.name.lstrip("/"))
        return original(dataset, *args, **kwargs)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", record)
    Elmo(str(elmo / OPTIONS_NAME), str(elmo / WEIGHTS_NAME), 1)

    assert read == set(list_parameters(read_options(ref(elmo / OPTIONS_NAME, "options"))))


def test_the_arguments_are_those_of_allennlp():
    from allennlp.modules.elmo import Elmo as Upstream
    from allennlp.modules.elmo import batch_to_ids as upstream_ids

    from safeload.compat.allennlp import Elmo, batch_to_ids

    def shape(function):
        parameters = list(inspect.signature(function).parameters.values())
        return [(p.name, p.default, p.kind) for p in parameters if p.name not in ("self", "cls")]

    assert shape(Elmo.__new__) == shape(Upstream.__init__)
    assert shape(batch_to_ids) == shape(upstream_ids)
    ours = [name for name, _, _ in shape(safeload.load_elmo)]
    beyond = {
        "stateful", "backend", "base_dir", "ignore_unused", "lock_file", "scope", "signature", "signed_by", "expected_outputs",
        "cache_dir",
    }  # fmt: skip
    assert [name for name, _, _ in shape(Upstream.__init__) if name != "module"] == [
        name for name in ours if name not in beyond
    ]


def test_ten_shapes():
    assert len(SHAPES) == 10
    assert all(shape != options() for name, shape in SHAPES.items() if name != "tiny")
