"""Compute the layers of a BERT of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._outputs.calling import called
from safeload.bert.layers import (
    EMBEDDINGS,
    GELU_AT,
    LOWEST,
    MLM,
    NSP,
    POOLER,
    Inputs,
    Settings,
    activation_name,
    largest,
    layer_name,
    without_padding,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def compute(model: Any, inputs: Inputs, *, as_it_is: bool = False) -> dict[str, Array]:  # noqa: ANN401  (a torch module)
    """Return what each layer computes; see `safeload.bert.layers`.

    Args:
        model: A `BertModel`, or a model with one under its `base_model_prefix`; its modules are left in the mode they
            are in. Heads other than those of pretraining are not computed.
        inputs: The texts.
        as_it_is: Whether the modules compute in the mode that they are in, `train()` or `eval()`.

    Source:
        transformers/models/bert/modeling_bert.py, BertModel.forward, BertForPreTraining.forward, transformers 4.57 and 5.24.
    """
    import torch  # noqa: PLC0415  (the caller has a model of it)

    encoder = getattr(model, model.base_model_prefix, model)
    device = next(encoder.parameters()).device
    tokens, segments, mask = (
        torch.tensor(each, dtype=torch.long, device=device) for each in (inputs.tokens, inputs.segments, inputs.mask)
    )
    with (
        called(torch, model, as_it_is=as_it_is),
        torch.device(device),  # where transformers 4.57 makes the mask
    ):
        outputs = encoder(
            input_ids=tokens, attention_mask=mask, token_type_ids=segments, output_hidden_states=True, return_dict=True
        )
        heads = _heads(torch, model, outputs.last_hidden_state, outputs.pooler_output)
    first, *layers = (without_padding(_array(each), inputs.mask) for each in outputs.hidden_states)
    found = {EMBEDDINGS: first, **{layer_name(number): each for number, each in enumerate(layers)}}
    if MLM in heads:
        heads[MLM] = without_padding(heads[MLM], inputs.mask)
    return {**found, **heads}


def settings_of(model: Any) -> Settings:  # noqa: ANN401  (a torch module)
    """Return what the model computes with."""
    import torch  # noqa: PLC0415  (the caller has a model of it)

    encoder = getattr(model, model.base_model_prefix, model)
    layer = encoder.encoder.layer[0]
    activation = layer.intermediate.intermediate_act_fn
    norms = (each for each in encoder.modules() if isinstance(each, torch.nn.LayerNorm))
    return Settings(
        num_attention_heads=layer.attention.self.num_attention_heads,
        activation=activation_name(
            activation, activation(torch.tensor(GELU_AT, dtype=torch.float32, device="cpu")).tolist()
        ),
        layer_norm_eps=largest(each.eps for each in norms),
        dtype=str(encoder.embeddings.word_embeddings.weight.dtype).removeprefix("torch."),
    )


def _heads(torch: Any, model: Any, sequence: Any, pooled: Any) -> dict[str, Array]:  # noqa: ANN401  (torch's own)
    """Return what the pooler and the heads of pretraining compute, of those that the model has."""
    heads = getattr(model, "cls", None)
    found = {} if pooled is None else {POOLER: _array(pooled)}
    if (predictions := getattr(heads, "predictions", None)) is not None:
        found[MLM] = _array(_logarithms(torch, predictions(sequence)))
    if (relationship := getattr(heads, "seq_relationship", None)) is not None:
        found[NSP] = _array(_logarithms(torch, relationship(pooled)))
    return found


def _logarithms(torch: Any, logits: Any) -> Any:  # noqa: ANN401  (torch's own)
    return torch.log_softmax(logits.float(), -1).clamp(min=LOWEST)


def _array(tensor: Any) -> Array:  # noqa: ANN401  (a torch tensor)
    found: Array = tensor.float().cpu().numpy()
    return found
