"""Classes of the caller's own: their encoder and heads filled, and the rest as the class makes it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import safeload
from safeload import errors, testing
from tests.bert.torch_berts import edit_config, inputs, required, write_loud

torch, transformers = required()
bert = transformers.models.bert.modeling_bert

GOLDEN = Path(__file__).parents[1] / "golden"
HEADS = [
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForPreTraining",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertForQuestionAnswering",
    "BertForMultipleChoice",
    "BertModel",
]
NEW = {
    "BertForSequenceClassification": "classifier",
    "BertForTokenClassification": "classifier",
    "BertForMultipleChoice": "classifier",
    "BertForQuestionAnswering": "qa_outputs",
}


def load(folder, model_class, **given):
    return safeload.load_bert(folder, backend="transformers", model_class=model_class, **given)


def initialised(model):
    return safeload.report_of(model).initialised


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return testing.write_bert(tmp_path_factory.mktemp("bert") / "m")


@pytest.fixture(scope="module")
def whole(folder):
    return safeload.load_bert(folder, backend="transformers", training=True).state_dict()


def require_filled(model, whole, names=None):
    """Require every tensor that the whole model has too to be equal to it."""
    state = model.state_dict()
    names = [name for name in state if name in whole] if names is None else names
    for name in names:
        assert torch.equal(state[name], whole[name]), name
    return names


@pytest.mark.parametrize("form", ["tensorflow", "safetensors", "tensorflow/tf-models", "keras"])
@pytest.mark.parametrize("head", HEADS)
def test_every_class_of_transformers_is_filled(tmp_path, whole, head, form):
    model = load(testing.write_bert(tmp_path / "m", form=form), getattr(transformers, head))

    state = model.state_dict()
    names = {name if name.startswith(("bert.", "cls.")) else f"bert.{name}": name for name in state}
    for name, own in names.items():
        if name in whole:
            assert torch.equal(state[own], whole[name]), name
    new = NEW.get(head)
    assert initialised(model) == ((f"{new}.weight", f"{new}.bias") if new else ())
    assert not model.training
    if new:
        assert 0 < state[f"{new}.weight"].abs().max() < 0.2
        assert not state[f"{new}.bias"].any()


class Pooled(transformers.BertPreTrainedModel):
    """A class with a head, a parameter, buffers and a tensor of its own."""

    def __init__(self, config):
        super().__init__(config)
        self.bert = transformers.BertModel(config, add_pooling_layer=False)
        self.norm = torch.nn.BatchNorm1d(config.hidden_size)
        self.scale = torch.nn.Parameter(torch.full((3,), 7.0))
        self.register_buffer("steps", torch.arange(4))
        self.register_buffer("hidden", torch.arange(5.0), persistent=False)
        self.plain = torch.ones(2)
        self.head = torch.nn.Linear(config.hidden_size, 5)
        self.post_init()

    def forward(self, **given):
        return self.head(self.norm(self.bert(**given)[0][:, 0]) * self.plain.sum()) + self.scale.sum()


def test_what_the_weights_lack_is_as_the_class_makes_it(folder, whole):
    model = load(folder, Pooled)

    assert initialised(model) == (
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
        "scale", "steps", "head.weight", "head.bias",
    ) or set(initialised(model)) == {
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
        "scale", "steps", "head.weight", "head.bias",
    }  # fmt: skip
    assert model.scale.tolist() == [7.0] * 3
    assert model.steps.tolist() == [0, 1, 2, 3]
    assert model.hidden.tolist() == [0, 1, 2, 3, 4]
    assert model.plain.tolist() == [1, 1]
    assert model.norm.weight.tolist() == [1.0] * 16
    assert model.norm.running_var.tolist() == [1.0] * 16
    assert not model.head.bias.any()
    assert 0.005 < model.head.weight.std() < 0.05, "transformers' own _init_weights, not torch's"
    assert len(require_filled(model, whole)) == 37
    assert model(**inputs(torch)).isfinite().all()


def test_a_head_without_values_is_an_error_where_initialisation_is_switched_off(folder, whole):
    modeling = transformers.initialization if hasattr(transformers, "initialization") else transformers.modeling_utils
    with modeling.no_init_weights():
        with pytest.raises(errors.BackendError, match=r"classifier.bias has no values: .* is switched off"):
            load(folder, transformers.BertForTokenClassification)
        model = load(folder, transformers.BertForPreTraining)

    assert len(require_filled(model, whole)) == len(whole)


def test_what_a_class_initialises_is_what_it_gives_alone(folder):
    torch.manual_seed(3)
    first = load(folder, Pooled)
    torch.manual_seed(3)
    second = load(folder, Pooled)

    for name in initialised(first):
        assert torch.equal(first.state_dict()[name], second.state_dict()[name])


def test_a_class_without_post_init_keeps_torch_s_own_values(folder, whole):
    class Plain(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = transformers.BertModel(config)
            self.head = torch.nn.Linear(config.hidden_size, 400)

    model = load(folder, Plain)
    bound = 1 / 4  # of torch.nn.Linear.reset_parameters, for 16 inputs
    assert 0.9 * bound < model.head.weight.abs().max() <= bound
    assert 0.9 * bound < model.head.bias.abs().max() <= bound
    assert len(require_filled(model, whole)) == 39


def test_a_class_that_is_an_encoder_has_no_prefix(folder, whole):
    class Adapted(transformers.BertModel):
        def __init__(self, config):
            super().__init__(config)
            self.adapter = torch.nn.Linear(config.hidden_size, 2)

    model = load(folder, Adapted)
    assert set(initialised(model)) == {"adapter.weight", "adapter.bias"}
    state = model.state_dict()
    for name in whole:
        if name.startswith("bert."):
            assert torch.equal(state[name.removeprefix("bert.")], whole[name])


def test_a_class_may_name_its_encoder_as_it_likes_and_read_it_while_it_is_built(folder, whole):
    class Other(transformers.BertPreTrainedModel):
        base_model_prefix = "reader"

        def __init__(self, config):
            super().__init__(config)
            self.reader = transformers.BertModel(config)
            self.first = torch.nn.Parameter(self.reader.embeddings.word_embeddings.weight[:2].detach().clone())
            self.width = int(self.first.abs().sum().item() > 0)
            self.post_init()

    model = load(folder, Other)
    assert initialised(model) == ("first",)
    assert model.width == 1
    assert not model.first.is_meta
    state = model.state_dict()
    for name in whole:
        if name.startswith("bert."):
            assert torch.equal(state[f"reader.{name.removeprefix('bert.')}"], whole[name])


def test_weights_that_a_class_ties_stay_tied(folder):
    class Tied(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.out = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
            self.bert = transformers.BertModel(config)
            self.out.weight = self.bert.embeddings.word_embeddings.weight

    model = load(folder, Tied)
    assert model.out.weight is model.bert.embeddings.word_embeddings.weight
    assert initialised(model) == ()


@pytest.mark.parametrize("form", ["tensorflow", "safetensors"])
def test_a_decoder_that_is_not_tied_has_the_values_of_its_embeddings(tmp_path, form):
    folder = testing.write_bert(tmp_path, form=form)
    edit_config(folder, tie_word_embeddings=False)
    model = load(folder, transformers.BertForPreTraining)

    head = model.cls.predictions
    assert head.decoder.weight is not model.bert.embeddings.word_embeddings.weight
    assert torch.equal(head.decoder.weight, model.bert.embeddings.word_embeddings.weight)
    assert torch.equal(head.decoder.bias, head.bias)
    assert initialised(model) == ()


def test_heads_of_a_hugging_face_file_are_filled_under_their_own_names(tmp_path, folder):
    torch.manual_seed(0)
    saved = load(folder, Pooled)
    with torch.no_grad():
        saved.norm.running_mean.normal_()
        saved.norm.num_batches_tracked.fill_(9)
        saved.scale.normal_()
    saved.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())

    model = load(tmp_path, Pooled)
    assert initialised(model) == ()
    for name, value in saved.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("head", "names", "keys"),
    [
        ("BertForSequenceClassification", ("output_weights", "output_bias"), {"num_labels": 3}),
        ("BertForQuestionAnswering", ("cls/squad/output_weights", "cls/squad/output_bias"), {"num_labels": 2}),
    ],
)
def test_google_s_own_heads_are_filled(tmp_path, head, names, keys):
    n_labels = keys["num_labels"]
    random = np.random.default_rng(0)
    weights, bias = (random.standard_normal(shape, np.float32) for shape in ((n_labels, 16), (n_labels,)))
    folder = write_loud(tmp_path, more=dict(zip(names, (weights, bias), strict=True)))
    edit_config(folder, **keys)

    model = load(folder, getattr(transformers, head))
    assert initialised(model) == ()
    layer = getattr(model, NEW[head])
    np.testing.assert_array_equal(layer.weight.detach(), weights)
    np.testing.assert_array_equal(layer.bias.detach(), bias)


@pytest.mark.parametrize("form", ["tensorflow", "safetensors"])
def test_a_head_of_another_shape_is_a_mismatch_of_shape(tmp_path, form):
    names = ("output_weights", "output_bias") if form == "tensorflow" else ("classifier.weight", "classifier.bias")
    more = dict(zip(names, (np.ones((3, 16), np.float32), np.ones(3, np.float32)), strict=True))
    folder = write_loud(tmp_path, form, more=more)
    with pytest.raises(errors.VariableMismatchError) as caught:
        load(folder, transformers.BertForSequenceClassification)

    assert {(problem.kind, problem.name) for problem in caught.value.report.problems} == {
        ("shape", each) for each in names
    }
    assert any(hint.startswith("num_labels is 2 in the config but 3") for hint in caught.value.hints)


def test_a_part_of_a_head_is_missing_the_other(tmp_path):
    folder = write_loud(tmp_path, "safetensors", more={"classifier.weight": np.ones((2, 16), np.float32)})
    with pytest.raises(errors.VariableMismatchError) as caught:
        load(folder, transformers.BertForSequenceClassification)

    assert [(each.kind, each.name) for each in caught.value.report.problems] == [("missing", "classifier.bias")]


def test_a_class_whose_init_fails_is_an_argument_error(folder):
    class Failing(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = transformers.BertModel(config)
            self.size = config.not_in_this_config

    with pytest.raises(
        errors.ArgumentError, match=r"model_class: Failing cannot be built .*: AttributeError"
    ) as caught:
        load(folder, Failing)
    assert caught.value.argument == "model_class"
    assert isinstance(caught.value.__cause__, AttributeError)


def test_an_instance_is_named_by_its_type(folder):
    model = load(folder, transformers.BertModel)
    with pytest.raises(errors.ArgumentError) as caught:
        load(folder, model)

    assert "model_class must be a subclass of transformers.PreTrainedModel, not an object of type BertModel" in str(
        caught.value
    )
    assert len(str(caught.value)) < 400


HEADS_OF_TENSORFLOW = {
    "transformers_classifier": ("BertForSequenceClassification", "classifier", 3),
    "transformers_answers": ("BertForQuestionAnswering", "qa_outputs", 2),
}


@pytest.mark.parametrize("name", HEADS_OF_TENSORFLOW)
def test_heads_that_transformers_saved_with_tensorflow_are_filled(name):
    model_class, head, n_labels = HEADS_OF_TENSORFLOW[name]
    path = GOLDEN / name
    model = load(path, getattr(transformers, model_class))
    outputs = np.load(path / "outputs.npz")

    assert initialised(model) == ()
    assert getattr(model, head).weight.shape == (n_labels, 16)
    with torch.no_grad():
        found = model(torch.tensor(outputs["tokens"]), token_type_ids=torch.tensor(outputs["segments"]))
    for ours, theirs in zip(
        found.to_tuple(), (outputs[key] for key in ("first", "second") if key in outputs), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_class_without_a_bert_is_an_argument_error(folder):
    class Empty(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.head = torch.nn.Linear(2, 2)

    with pytest.raises(errors.ArgumentError, match="model_class must be a class with a BERT under 'bert', not 'Empty'"):
        load(folder, Empty)


def test_a_class_with_a_bert_of_other_sizes_is_an_argument_error(folder):
    class Wide(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.bert = transformers.BertModel(transformers.BertConfig(**{**config.to_dict(), "intermediate_size": 8}))

    with pytest.raises(
        errors.ArgumentError, match=r"intermediate.dense.weight of a BERT .*\(32, 16\), and Wide has \(8, 16\)"
    ):
        load(folder, Wide)


def test_what_a_class_freezes_stays_frozen(folder, whole):
    class Frozen(transformers.BertForTokenClassification):
        def __init__(self, config):
            super().__init__(config)
            self.bert.embeddings.requires_grad_(requires_grad=False)

    model = load(folder, Frozen)
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith("bert.embeddings.")}
    assert len(frozen) == 5
    assert len(require_filled(model, whole)) == 37


def test_a_parameter_of_integers_is_filled(tmp_path, folder):
    class Counting(transformers.BertForTokenClassification):
        def __init__(self, config):
            super().__init__(config)
            self.counts = torch.nn.Parameter(torch.arange(3), requires_grad=False)

    saved = load(folder, Counting)
    saved.counts.add_(5)
    saved.save_pretrained(tmp_path)

    model = load(tmp_path, Counting, dtype="bfloat16")
    assert (model.counts.tolist(), model.counts.dtype) == ([5, 6, 7], torch.int64)
    assert initialised(model) == ()


def test_heads_under_a_prefix_of_the_whole_model_are_filled(tmp_path):
    """As DistributedDataParallel and Lightning name them."""
    random = np.random.default_rng(0)
    head = {"classifier.weight": random.standard_normal((2, 16), np.float32), "classifier.bias": np.ones(2, np.float32)}
    folder = write_loud(tmp_path, "safetensors", more=head)
    path = folder / "model.safetensors"
    tensors = {f"module.{name}": value for name, value in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})

    model = load(folder, transformers.BertForSequenceClassification)
    assert initialised(model) == ()
    np.testing.assert_array_equal(model.classifier.weight.detach(), head["classifier.weight"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_the_type_is_that_of_the_whole_class(folder, dtype):
    model = load(folder, Pooled, dtype=dtype)

    assert {str(each.dtype) for each in model.parameters()} == {f"torch.{dtype}"}
    assert model.steps.dtype == torch.int64


def test_other_threads_build_as_ever_meanwhile(folder):
    """A model that another thread builds while a class is being filled has memory."""
    built = []

    class Slow(transformers.BertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            thread = threading.Thread(target=lambda: built.append(transformers.BertModel(config)))
            thread.start()
            thread.join()
            self.bert = transformers.BertModel(config)

    load(folder, Slow)
    assert len(built) > 1
    for model in built:
        assert not any(each.is_meta for each in (*model.parameters(), *model.buffers()))
    assert bert.BertEmbeddings.__init__.__qualname__ == "BertEmbeddings.__init__"
    assert not hasattr(bert.BertEmbeddings.__init__, "__wrapped__")
    assert not hasattr(bert.BertPreTrainedModel._init_weights, "__wrapped__")
