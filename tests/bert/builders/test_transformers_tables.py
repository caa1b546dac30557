"""The tables explain every parameter and buffer that the installed transformers gives a BERT; a new one fails here."""

from __future__ import annotations

import pytest

from safeload import testing
from safeload._bytes.files import FileRef
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._config import read_config
from safeload.bert._model import bert
from safeload.bert._parameters import list_parameters
from safeload.bert._runtimes import TRANSFORMERS
from safeload.bert.builders.transformers_names import buffers, copies, is_turned, torch_name
from tests.bert.torch_berts import required

torch, transformers = required()

HEADS = {
    "BertModel": (),
    "BertForPreTraining": (),
    "BertForMaskedLM": (),
    "BertForNextSentencePrediction": (),
    "BertLMHeadModel": (),
    "BertForSequenceClassification": ("classifier.weight", "classifier.bias"),
    "BertForTokenClassification": ("classifier.weight", "classifier.bias"),
    "BertForMultipleChoice": ("classifier.weight", "classifier.bias"),
    "BertForQuestionAnswering": ("qa_outputs.weight", "qa_outputs.bias"),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = testing.write_bert(tmp_path_factory.mktemp("bert"))
    return read_config(FileRef(path=str(folder / "bert_config.json"), role="config"), TRANSFORMERS)


def test_the_list_has_every_class_of_a_bert():
    module = transformers.models.bert
    listed = {name for name in module.modeling_bert.__all__ if name.startswith("Bert")}

    assert listed - {"BertPreTrainedModel", "BertLayer"} == set(HEADS)


@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_and_buffer_is_explained(config, name):
    sizes = {key: value for key, value in config._asdict().items() if key in transformers.BertConfig().to_dict()}
    model = getattr(transformers, name)(transformers.BertConfig(**sizes))
    prefix = "" if name == "BertModel" else "bert."
    expected = {torch_name(each, prefix): spec for each, spec in list_parameters(config, training=True).items()}
    turned = {torch_name(each, prefix): is_turned(each) for each in list_parameters(config, training=True)}

    found = dict(model.named_parameters(remove_duplicate=False))
    assert set(found) <= {*expected, *copies(prefix), *HEADS[name]}
    assert set(HEADS[name]) <= set(found)
    for each in set(found) & set(expected):
        shape = tuple(found[each].shape)
        assert (shape[::-1] if turned[each] else shape) == expected[each].shape, each
    for copy, original in copies(prefix).items():
        assert copy not in found or found[copy] is found[original]
    held = buffers(prefix)
    assert {each for each, _ in model.named_buffers()} == set(held)
    for each, value in model.named_buffers():
        wanted = torch.arange(20) if held[each] == "positions" else torch.zeros(20, dtype=torch.long)
        assert value.dtype == torch.long
        assert torch.equal(value, wanted[None])


def test_what_is_read_for_torch_has_the_outputs_first(tmp_path):
    folder = testing.write_bert(tmp_path)
    kind = bert(build_options(training=True, seq_len=None, backend="transformers"))
    values = check(kind, Request(folder), keep_values=True).values

    for name, value in values.items():
        assert (value.T if is_turned(name) else value).flags.c_contiguous, name
        assert value.flags.writeable, name
