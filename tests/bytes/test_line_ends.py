"""Text files that were written on Windows: line ends of two characters, byte order marks; and new ones, which have neither."""

from __future__ import annotations

import ast
import codecs
import gzip
import json
import shutil

import pytest

import safeload
from safeload import testing
from safeload.errors import VocabularyError
from safeload.lock import LOCK_NAME, lock_text, make_lock, read_lock
from safeload.settings import read_settings
from tests.checkpoints import PREFIX
from tests.test_house import MODULES, name_of

WRITTEN = {
    "line feeds": lambda data: data,
    "both": lambda data: data.replace(b"\n", b"\r\n"),
    "both, and a byte order mark": lambda data: codecs.BOM_UTF8 + data.replace(b"\n", b"\r\n"),
    "carriage returns": lambda data: data.replace(b"\n", b"\r"),
}
TAKEN = pytest.mark.parametrize("written", [WRITTEN[name] for name in ("both", "both, and a byte order mark")])


def rewrite(path, written):
    path.write_bytes(written(path.read_bytes()))
    return path


def test_a_vocabulary_has_the_same_tokens_and_keras_bert_reads_the_same(tiny_bert, tmp_path):
    keras_bert = pytest.importorskip("keras_bert")
    plain = shutil.copyfile(tiny_bert / "vocab.txt", tmp_path / "vocab.txt")
    tokens = safeload.load_vocabulary(plain)
    path = rewrite(tmp_path / "vocab.txt", WRITTEN["both"])

    assert safeload.load_vocabulary(path) == tokens == keras_bert.load_vocabulary(str(path))
    assert not any("\r" in token for token in tokens)


@pytest.mark.parametrize("kind", ["line feeds", "both"])
def test_a_vocabulary_has_the_tokens_that_tensorflow_s_reader_of_lines_gives(kind, tiny_bert, tmp_path):
    import tensorflow as tf

    path = rewrite(shutil.copyfile(tiny_bert / "vocab.txt", tmp_path / "vocab.txt"), WRITTEN[kind])
    with tf.io.gfile.GFile(str(path), "r") as file:  # as Google's load_vocab does
        lines = iter(file.readline, "")
        tokens = {line.strip(): number for number, line in enumerate(lines)}

    assert safeload.load_vocabulary(path) == tokens


def test_a_byte_order_mark_in_a_vocabulary_hides_a_token_from_each_reader(tiny_bert, tmp_path):
    keras_bert = pytest.importorskip("keras_bert")
    path = rewrite(
        shutil.copyfile(tiny_bert / "vocab.txt", tmp_path / "vocab.txt"), WRITTEN["both, and a byte order mark"]
    )

    assert "[PAD]" not in keras_bert.load_vocabulary(str(path))
    with pytest.raises(VocabularyError, match="byte order mark"):
        safeload.load_vocabulary(path)


def test_carriage_returns_alone_end_no_line_as_in_google_s_reader(tiny_bert, tmp_path):
    path = rewrite(shutil.copyfile(tiny_bert / "vocab.txt", tmp_path / "vocab.txt"), WRITTEN["carriage returns"])
    with pytest.raises(VocabularyError) as caught:
        safeload.load_vocabulary(path)
    assert (
        caught.value.hints[0]
        == "its lines end with carriage returns alone, which end none; save the file with line feeds"
    )


@TAKEN
def test_a_config_and_a_state_file_give_the_same_model(written, bert):
    (bert / "checkpoint").write_text(f'model_checkpoint_path: "{PREFIX}"\nall_model_checkpoint_paths: "{PREFIX}"\n')
    before = safeload.check_bert(bert)
    rewrite(bert / "bert_config.json", written)
    rewrite(bert / "checkpoint", written)
    rewrite(bert / "vocab.txt", WRITTEN["both"])

    assert safeload.check_bert(bert).digest == before.digest
    rewrite(bert / "checkpoint", WRITTEN["carriage returns"])
    assert safeload.check_bert(bert).place == before.place


def test_tensorflow_reads_the_same_state_file(bert):
    import tensorflow as tf

    (bert / "checkpoint").write_bytes(
        f'model_checkpoint_path: "{PREFIX}"\r\nall_model_checkpoint_paths: "{PREFIX}"\r\n'.encode()
    )

    assert tf.train.latest_checkpoint(str(bert)) == str(bert / PREFIX)
    assert str(bert / f"{PREFIX}.index") in [file.path for file in safeload.check_bert(bert).files]


@TAKEN
def test_options_give_the_same_elmo(written, elmo):
    (elmo / "vocab.txt").write_bytes(b"<S>\r\n</S>\r\n<UNK>\r\n")
    (elmo / "vocab.txt.gz").write_bytes(gzip.compress(b"<S>\r\n"))
    before = safeload.check_elmo(elmo)
    rewrite(elmo / "options.json", written)

    assert safeload.check_elmo(elmo).digest == before.digest


@TAKEN
@pytest.mark.parametrize("name", ["s.ini", "s.toml", "s.json", "s.yaml"])
def test_settings_have_the_same_values(written, name, bert, tmp_path):
    text = {
        "s.ini": f"[M]\nconfig_file = {bert}\nseq_len = 3\n",
        "s.toml": f"[M]\nconfig_file = '{bert}'\nseq_len = 3\n",
        "s.json": json.dumps({"M": {"config_file": str(bert), "seq_len": 3}}, indent=1),
        "s.yaml": f"M:\n  config_file: {bert}\n  seq_len: 3\n",
    }[name]
    (tmp_path / name).write_bytes(written(text.encode()))

    assert read_settings(tmp_path / name, "M") == {"config_file": str(bert), "seq_len": 3}


@TAKEN
def test_a_lock_applies(written, bert):
    path = bert / LOCK_NAME
    path.write_text(lock_text(make_lock(safeload.check_bert(bert), path)))
    files = read_lock(path).files
    rewrite(path, written)

    assert read_lock(path).files == files
    assert safeload.check_bert(bert).files[-1].role == "lock"


@pytest.mark.parametrize("form", ["safetensors", "google", "keras-bert-h5"])
def test_what_is_converted_has_line_feeds_alone(form, bert, tmp_path):
    rewrite(bert / "bert_config.json", WRITTEN["both, and a byte order mark"])
    rewrite(bert / "vocab.txt", WRITTEN["both"])
    safeload.convert(bert, tmp_path / "new", form=form, lock=True)
    texts = [
        path
        for path in (tmp_path / "new").iterdir()
        if path.suffix in (".json", ".txt", ".lock") or path.name == "checkpoint"
    ]

    assert {"vocab.txt", LOCK_NAME} < {path.name for path in texts}
    assert not any(b"\r" in path.read_bytes() or path.read_bytes().startswith(codecs.BOM_UTF8) for path in texts)
    assert safeload.load_vocabulary(tmp_path / "new/vocab.txt") == safeload.load_vocabulary(bert / "vocab.txt")


def test_what_the_kit_writes_has_line_feeds_alone(tmp_path):
    for write, form in (
        (testing.write_bert, "tensorflow"),
        (testing.write_elmo, "tensorflow"),
        (testing.write_elmo, "torch/model"),
    ):
        folder = write(tmp_path / form / write.__name__, form=form)
        texts = [path for path in folder.rglob("*") if path.suffix in (".json", ".txt") or path.name == "checkpoint"]
        assert texts
        assert not any(b"\r" in path.read_bytes() for path in texts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_text_file_is_written_with_line_feeds_on_every_system(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".write_text"):
            assert {each.arg: ast.unparse(each.value) for each in node.keywords}.get("newline") == r"'\n'", ast.unparse(
                node
            )
