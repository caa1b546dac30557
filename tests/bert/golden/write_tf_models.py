"""Write tiny checkpoints with tf-models, and what its models compute from one input.

Run with tf-models-official 2.20.0 (TensorFlow 2.20.0, tf-keras 2.20.1, Python 3.11): python write_tf_models.py FOLDER
The files beside this script are its output, without the graphs of SavedModels, which nothing here reads.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.nlp.configs import encoders
from official.nlp.modeling import layers, models, networks
from official.nlp.tools import export_tfhub_lib, tf1_bert_checkpoint_converter_lib

GELU = tf_utils.get_activation("gelu")
SIZES = {"vocab_size": 12, "hidden_size": 8, "num_layers": 2, "num_attention_heads": 2, "type_vocab_size": 2}
CONFIG = {
    "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
    "hidden_act": "gelu", "max_position_embeddings": 10, "type_vocab_size": 2,
}  # fmt: skip
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
WORDS = np.array([[2, 5, 6, 3, 7, 8, 4, 9, 10, 3]], np.int32)
INPUT = {
    "input_word_ids": WORDS,
    "input_mask": np.ones_like(WORDS),
    "input_type_ids": np.array([[0] * 4 + [1] * 6], np.int32),
}
POSITIONS = np.arange(10, dtype=np.int32)[None]


def encoder_v1(*, dict_outputs=True):
    return networks.BertEncoder(**SIZES, max_sequence_length=10, inner_dim=16, dict_outputs=dict_outputs)


def encoder_v2():
    return networks.BertEncoderV2(**SIZES, max_sequence_length=10, inner_dim=16)


def pretrainer(encoder):
    head = layers.ClassificationHead(inner_dim=8, num_classes=2, name="next_sentence")
    return models.BertPretrainerV2(encoder_network=encoder, mlm_activation=GELU, classification_heads=[head])


def fill(model, seed):
    """Give every variable values of a size at which each of them changes the output."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        noise = random.normal(0, 0.3, variable.shape).astype(np.float32)
        variable.assign(noise + 1 if "gamma" in variable.name else noise)


def one_pooler(model):
    """Give the encoder the pooler of the head."""
    model.encoder_network.pooler_layer.set_weights(model.classification_heads[0].dense.get_weights())


def computed(out):
    """Return the outputs under the names of the file that holds them."""
    names = ("sequence_output", "pooled_output", "mlm_logits", "next_sentence")
    return {name: np.asarray(out[name]) for name in names if name in out}


def write_encoders(folder):
    for name, encoder, root, seed in (
        ("encoder", encoder_v1(), "encoder", 1),
        ("encoder_v2", encoder_v2(), "model", 2),
    ):
        encoder(INPUT)
        fill(encoder, seed)
        save(tf.train.Checkpoint(**{root: encoder}), folder / name, computed(encoder(INPUT)))
    save(tf.train.Checkpoint(model=encoder_v2()), folder / "never_called", {})


def write_pretrainers(folder):
    given = {**INPUT, "masked_lm_positions": POSITIONS}
    for name, encoder in (("pretrainer", encoder_v1()), ("pretrainer_v2", encoder_v2())):
        model = pretrainer(encoder)
        model(given)
        fill(model, 3)
        one_pooler(model)
        items = {"model": model} if name == "pretrainer_v2" else model.checkpoint_items  # these have no logits
        save(tf.train.Checkpoint(**items), folder / name, computed(model(given)))
    model = pretrainer(encoder_v2())
    model(given)
    fill(model, 4)
    for name, optimizer in (
        ("trainer", tf_keras.optimizers.legacy.Adam()),
        ("trainer_of_keras", tf_keras.optimizers.Adam()),
    ):
        with tf.GradientTape() as tape:
            out = model(given)
            loss = tf.reduce_mean(out["mlm_logits"] ** 2) + tf.reduce_mean(out["next_sentence"] ** 2)
        pairs = zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        optimizer.apply_gradients((gradient, variable) for gradient, variable in pairs if gradient is not None)
        saved = tf.train.Checkpoint(model=model, optimizer=optimizer, global_step=optimizer.iterations)
        save(saved, folder / name, computed(model(given)))
    network = encoder_v1(dict_outputs=False)
    model = models.BertPretrainer(network, num_classes=2, num_token_predictions=10, activation=GELU, output="logits")
    fill(model, 5)
    out = model([*(INPUT[name] for name in ("input_word_ids", "input_mask", "input_type_ids")), POSITIONS])
    sequence, pooled = network(INPUT)
    found = {
        "sequence_output": sequence,
        "pooled_output": pooled,
        "mlm_logits": out["masked_lm"],
        "next_sentence": out["classification"],
    }
    save(tf.train.Checkpoint(model=model), folder / "pretrainer_of_2020", computed(found))


def write_hub(folder):
    sizes = {**SIZES, "intermediate_size": 16, "max_position_embeddings": 10}
    config = encoders.EncoderConfig(type="bert", bert=encoders.BertEncoderConfig(**sizes))
    encoder = encoders.build_encoder(config)
    model = models.BertPretrainerV2(encoder_network=encoder, mlm_activation=GELU)
    model({**INPUT, "masked_lm_positions": POSITIONS})
    fill(model, 6)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        tf.train.Checkpoint(**model.checkpoint_items).save(str(work / "x"))
        (work / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
        export_tfhub_lib.export_model(
            str(work / "hub"), encoder_config=config, model_checkpoint_path=str(work / "x-1"), with_mlm=True,
            vocab_file=str(work / "vocab.txt"), do_lower_case=True,
        )  # fmt: skip
        for part in ("variables", "assets"):
            shutil.copytree(work / "hub" / part, folder / "hub" / part)
    np.savez(folder / "hub" / "outputs.npz", **computed(encoder(INPUT)))


def write_converted(folder):
    """Convert a checkpoint with Google's names by the replacements of each dialect, without an object graph."""
    from safeload import testing

    lib = tf1_bert_checkpoint_converter_lib
    sizes = {"layers": 2, "hidden": 8, "attention_heads": 2, "intermediate": 16, "vocab": 12, "positions": 10}
    with tempfile.TemporaryDirectory() as work:
        source = testing.write_bert_checkpoint(work, **sizes) / "bert_model.ckpt"
        for name, rows, permutations in (
            ("converted", lib.BERT_V2_NAME_REPLACEMENTS, lib.BERT_V2_PERMUTATIONS),
            ("converted_in_2019", lib.BERT_NAME_REPLACEMENTS, lib.BERT_PERMUTATIONS),
        ):
            (folder / name).mkdir()
            lib.convert(str(source), str(folder / name / "x"), 2, rows, permutations)
            (folder / name / "checkpoint").unlink()


def save(checkpoint, folder, outputs):
    folder.mkdir()
    checkpoint.save(str(folder / "x"))
    (folder / "checkpoint").unlink()
    if outputs:
        np.savez(folder / "outputs.npz", **outputs)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir()
    (target / "bert_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    np.savez(target / "input.npz", **INPUT)
    write_encoders(target)
    write_pretrainers(target)
    write_hub(target)
    write_converted(target)
