"""A BERT that transformers saves as pytorch_model.bin loads into keras-bert with the same outputs."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import safeload

SIZES = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    made = transformers.BertForPreTraining(transformers.BertConfig(**SIZES, initializer_range=0.5)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))  # as if it were trained
    return made


def saved(model, folder, **options):
    """Write pytorch_model.bin, as transformers does before 4.35, and with an option before 5."""
    model.save_pretrained(folder, safe_serialization=False, **options)
    if list(folder.glob("*.safetensors*")):
        pytest.skip("transformers 5 writes no pytorch_model.bin")
    return folder


def configured(model, folder):
    """Write the config alone."""
    model.config.architectures = ["BertForPreTraining"]
    model.config.save_pretrained(folder)
    return folder


def turned(model):
    """Return the state dict with kernels whose bytes are in TensorFlow's order, as after a conversion."""
    state = model.state_dict()
    return {name: each.t().contiguous().t() if each.dim() == 2 else each for name, each in state.items()}


def require_equal_outputs(folder, model):
    import torch

    pytest.importorskip("keras_bert")
    ids = np.array([[2, 5, 9, 11, 3] + [4] * 15])
    ours = safeload.load_bert(folder, training=True)
    masked = np.ones_like(ids)
    masked_lm, next_sentence = ours.predict([ids, np.zeros_like(ids), masked])
    with torch.no_grad():
        theirs = model(torch.from_numpy(ids))
    np.testing.assert_allclose(masked_lm, theirs.prediction_logits.softmax(-1).numpy(), atol=1e-5)
    np.testing.assert_allclose(next_sentence, theirs.seq_relationship_logits.softmax(-1).numpy(), atol=1e-5)
    report = safeload.report_of(ours)
    assert (report.form, report.naming, report.scope) == ("torch", "hugging-face", "bert.")


def test_one_file_has_the_same_outputs(tmp_path, model):
    folder = saved(model, tmp_path / "hf")

    require_equal_outputs(folder, model)
    report = safeload.check_bert(folder, training=True)
    assert report.checksums in (
        "CRC-32 of 46 storages",
        "CRC-32 of 47 storages",
    )  # with position_ids before transformers 4.31
    assert report.activation == "gelu_erf"
    assert report.unused["copies"]


def test_shards_have_the_same_outputs(tmp_path, model):
    folder = saved(model, tmp_path / "hf", max_shard_size="10kB")

    assert len(list(folder.glob("pytorch_model-*.bin"))) > 2
    require_equal_outputs(folder, model)
    shard = min(folder.glob("pytorch_model-*.bin"))
    assert safeload.check_bert(folder / "config.json", shard).place == "index of shards"


@pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])
def test_turned_kernels_have_the_same_outputs(tmp_path, model, new):
    import torch

    folder = configured(model, tmp_path / "hf")
    torch.save(turned(model), folder / "pytorch_model.bin", _use_new_zipfile_serialization=new)

    require_equal_outputs(folder, model)


@pytest.mark.skipif(not find_spec("keras_bert"), reason="compares with keras-bert")
def test_a_training_checkpoint_has_the_same_outputs_by_its_scope(tmp_path, model):
    import torch

    folder = configured(model, tmp_path / "hf")
    content = {"model": model.state_dict(), "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}, "epoch": 3}
    torch.save(content, folder / "pytorch_model.bin")
    after = safeload.load_bert(folder, training=True, scope="model.bert")

    assert safeload.report_of(after).scope == "model.bert."
    assert safeload.report_of(after).unused["training"] == ("optimizer.state.0.exp_avg",)
    assert safeload.check_bert(folder).scope == "model.bert."
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for ours, theirs in zip(after.get_weights(), safeload.load_bert(folder, training=True).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_half_precision_is_widened(tmp_path, model):
    import torch

    folder = configured(model, tmp_path / "hf")
    for dtype, name in [(torch.float16, "float16"), (torch.bfloat16, "bfloat16"), (torch.float64, "float64")]:
        torch.save(
            {key: each.to(dtype) for key, each in model.state_dict().items() if each.is_floating_point()},
            folder / "pytorch_model.bin",
        )
        report = safeload.check_bert(folder, training=True)
        assert any(f"stored as {name}; read as float32" in note for note in report.notes)
