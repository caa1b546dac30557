"""Every code block of the README and of the pages runs, and prints what the page shows."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.lock import lock_text, make_lock
from safeload.testing._safetensors import write_safetensors
from tests.docs.blocks import PAGES, ROOT, blocks_of, commands_of, matches

README, SETTINGS = "README.md", "docs/how-to/paths-in-a-settings-file.md"
ELMO_IN_KERAS = "docs/how-to/elmo-in-keras.md"
LOCK, UNIT_TEST = "docs/how-to/lock-a-model.md", "docs/how-to/unit-test-your-set-up.md"
BAD_LOAD = "docs/how-to/work-out-a-bad-load.md"
ANY_WEIGHTS = "docs/how-to/load-any-weights.md"
REPLACE_BERT, REPLACE_ELMO = "docs/how-to/replace-keras-bert.md", "docs/how-to/replace-allennlp.md"
MANY_WORKERS = "docs/how-to/load-in-many-workers.md"
TO_TRANSFORMERS = "docs/how-to/move-to-transformers.md"
MAX_COLUMNS = 88
HOME = "/home/me"
"""What the pages show for the temporary folder; the blocks run in `project` inside it."""


def models_of_the_readme(folder):
    testing.write_bert_checkpoint(folder / "models")
    testing.write_elmo(folder / "elmo")
    for name in ("models/uncased", "pretrained", "out", "../models/uncased"):
        testing.write_bert_checkpoint(folder / name)
    for path in (folder / "out").glob("bert_model.ckpt.*"):
        path.rename(path.with_name(path.name.replace("bert_model.ckpt", "model.ckpt-3000")))


def lock_above_a_model(folder):
    model = testing.write_bert_checkpoint(folder / "models/uncased")
    path = folder / "models/safeload.lock"
    path.write_text(lock_text(make_lock(safeload.check_bert(model), str(path))), encoding="utf-8")


def set_up_of_a_project(folder):
    source = "import os\nimport safeload\n\ndef load_encoder():\n    return safeload.load_bert(os.environ['MODEL_DIR'], seq_len=8)\n"
    (folder / "my_project.py").write_text(source, encoding="utf-8")


def model_that_keras_saved(folder):
    path = testing.write_bert(folder / "out", form="hdf5/keras-bert") / "model.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = [*file.attrs["layer_names"], b"head"]
        head = file.create_group("head")
        head.attrs["weight_names"] = [b"head/kernel:0", b"head/bias:0"]
        head["head/kernel:0"], head["head/bias:0"] = np.ones((16, 2), np.float32), np.zeros(2, np.float32)


def models_and_a_vocabulary(folder):
    model = testing.write_bert_checkpoint(folder / "../models/uncased_L-12_H-768_A-12")
    (folder / "vocabularies").mkdir()
    shutil.copy(model / "vocab.txt", folder / "vocabularies/uncased.txt")


def models_of_libraries(folder):
    """Write a tiny model with each library that is here; for the one of a library that is not, weights alone."""
    models = folder / "models"
    command = [sys.executable, "-m", "tests.weights.libraries", str(models)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for name in ("gpt2", "ddpm/unet", "minilm", "minilm/2_Dense"):
        if not (models / name).exists():
            (models / name).mkdir(parents=True)
            write_safetensors(
                models / name / "model.safetensors", {name: np.ones(400, np.float32) for name in "ab"}, {}
            )


SET_UP = {
    TO_TRANSFORMERS: model_that_keras_saved,
    ANY_WEIGHTS: models_of_libraries,
    README: models_of_the_readme,
    LOCK: lock_above_a_model,
    UNIT_TEST: set_up_of_a_project,
    SETTINGS: lambda folder: testing.write_bert_checkpoint(folder / "models/bert", positions=128),
    REPLACE_BERT: models_and_a_vocabulary,
    **dict.fromkeys(
        [ELMO_IN_KERAS, REPLACE_ELMO], lambda folder: testing.write_elmo(folder / "../models/elmo_original")
    ),
}
"""What a page takes for granted beyond `models/bert` and `models/elmo`, which lie in the project and in the home."""

FILES = {(SETTINGS, "ini"): "config.ini"}
"""The first block of a language is this file for the blocks below it."""

BEFORE = {
    (MANY_WORKERS, "import torch"): (
        "import os; os.environ.update(RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')\n"
    ),
}
"""What stands before a block in the reader's own file."""

MADE_BY = {
    (
        README,
        "safeload.errors.VariableMismatchError: the BERT checkpoint does not fit its config: 36 of 37 variables match, 1 wrong shape",
    ): (
        "import os; from safeload import testing\n"
        "folder = testing.edit_config('~/models/uncased', vocab_size=31)\n"
        "os.remove(os.path.expanduser('~/models/uncased/vocab.txt'))\n"
        "safeload.load_bert('~/models/uncased', '~/models/uncased')\n"
    ),
    (SETTINGS, "safeload.errors.ConfigError: the settings cannot be used: 2 bad keys"): (
        "with open('config.ini', 'w') as file:\n"
        "    file.write('[BERT]\\nconfig_file = models/bert\\nseq_len = long\\ndrop_rate = 0.1\\n')\n"
        "safeload.read_settings('config.ini', 'BERT')\n"
    ),
    (
        BAD_LOAD,
        "nothing is at fault: the files and the versions are good, and safeload loads the model; not compared with keras-bert's own loader and TensorFlow's reader into keras-bert's graph (for Google's checkpoints only, not for the form safetensors); no loader can prove num_attention_heads and hidden_act of the config, nor how the text was tokenised",
    ): (
        "from safeload import diagnose_bert, testing\n"
        "print(diagnose_bert(testing.write_bert('hugging_face', form='safetensors', layers=1)).verdict)\n"
    ),
    (
        BAD_LOAD,
        "nothing is at fault: the files and the versions are good, and safeload loads the model, and agrees with a direct read with TensorFlow on every parameter; not compared with AllenNLP's own loader (for HDF5 files only, not for the form tensorflow); no loader can prove activation, cell_clip, proj_clip and use_skip_connections of the options, nor how the text was tokenised",
    ): (
        "from safeload import diagnose_elmo, testing\n"
        "print(diagnose_elmo(testing.write_elmo('module', form='tensorflow/tf-hub')).verdict)\n"
    ),
}
"""Texts that no block above them prints: the code that does."""

NOT_RUN = {
    (
        BAD_LOAD,
        "the files are good and keras-bert is at fault: keras-bert's own loader differs in Encoder-1-MultiHeadSelfAttention/Encoder-1-MultiHeadSelfAttention_Wq and 3 more, and the two others agree; safeload.load_bert reads it correctly",
    ): ("needs a keras-bert with a fault: tests/bert/test_diagnosis.py makes one"),
    (
        BAD_LOAD,
        "nothing differs: keras-bert and transformers compute the same in 3 layers, within 0.0001; the largest difference is 7.15e-07, in layer 1",
    ): ("needs keras-bert and transformers: tests/cli/test_against.py compares them, where both can be installed"),
    (
        "docs/tutorial/keras-elmo-today.md",
        'elmo = hub.KerasLayer("https://tfhub.dev/google/elmo/3", output_key="default")',
    ): ("what is replaced: tensorflow_hub is not installed, and would download"),
}
"""Blocks that cannot run here, with the reason."""

NOT_RUN_COMMANDS = {
    "make ": "makes environments; the target must be in the Makefile",
    "allennlp train ": "trains a model; tests/compat/test_allennlp_embedder.py does, with both packages",
    "pip ": "installs; the extras must be in setup.cfg",
    "docker ": "builds and runs images; tests/packaging/test_integrations.py runs what they install",
    "safeload doctor": "half a minute, since it loads in many processes; tests/cli/test_doctor.py runs both forms",
}
"""How commands begin that are not run, with the reason."""


def as_python(block):
    kind = "pytest" if "def test_" in block.text else "python"
    return {"kind": kind, "source": BEFORE.get(block.key, "") + block.text, "place": block.place}


def steps_of(page, folder):
    """Return what is run for a page, in order, and write the files that its blocks are."""
    steps, last = [], None
    for block in blocks_of(page):
        if block.key in NOT_RUN:
            last = None
        elif block.file:
            require_readable(block)
            steps.append({"kind": "file", "name": block.file, "source": block.text, "place": block.place})
            last = None
        elif block.language == "python":
            steps.append(last := as_python(block))
        elif block.language == "console":
            steps += commands_to_run(block)
            last = None
        elif block.language == "bash":
            steps.append({"kind": "shell", "source": block.text, "place": block.place})
        elif block.language == "text":
            if block.key in MADE_BY:
                steps.append(last := {"kind": "python", "source": MADE_BY[block.key], "place": block.place})
            assert last is not None, f"{block.place}: nothing prints this text"
            last["shown"], last = block.text, None
        else:
            steps += commands_in(block)
            require_readable(block)
            name = FILES.get((page, block.language))
            if name and not (folder / name).exists():
                (folder / name).write_text(block.text, encoding="utf-8")
    return [step for step in steps if not lacks_a_package(step["source"])]


def commands_to_run(block):
    for command, shown in commands_of(block):
        if command.startswith(tuple(NOT_RUN_COMMANDS)):
            require_known(command)
            continue
        yield {"kind": "shell", "source": command, "place": block.place, "shown": shown}


RUNS = {"yaml": r"^ *- run: (safeload .*)$", "sh": r"^\S+ \S+ \S+ \S+ \S+ (.*)$"}
"""How a line begins that runs a command, in a workflow and in a table of cron."""


def commands_in(block):
    """Return the commands that a workflow or a table of cron runs."""
    commands = re.findall(RUNS[block.language], block.text, re.MULTILINE) if block.language in RUNS else []
    return [{"kind": "shell", "source": command, "place": block.place} for command in commands]


def require_known(command):
    """Check what a command that is not run names."""
    words = command.split()
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8"), command
    if words[0] == "python":
        assert (ROOT / words[1]).is_file(), command
    if words[0] == "pip":
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        extras = {extra for listed in re.findall(r"\[(.+?)\]", command) for extra in listed.split(",")}
        assert extras <= set(setup["options.extras_require"]), command


def require_readable(block):
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "ini":
        configparser.ConfigParser(interpolation=None).read_string(block.text)
    elif block.language == "yaml":
        pytest.importorskip("yaml").safe_load(block.text)
    elif block.language == "python":
        compile(block.text, block.place, "exec")
    elif block.language == "sh":
        assert all(re.match(f"[A-Z]+=|{RUNS['sh']}", line) for line in block.text.splitlines()), block.place
    elif block.language == "toml":
        from safeload._text.toml import toml_table

        toml_table(block.text.encode())
    else:
        pytest.fail(f"{block.place}: no test knows the language {block.language!r}")


NEEDS_TODAY = (
    "docs/how-to/sign-a-model.md",
    TO_TRANSFORMERS,
    "docs/tutorial/move-to-a-library-of-today.md",
    "docs/how-to/move-to-keras-hub.md",
    "docs/how-to/fine-tune-in-pytorch.md",
    "docs/reference/tokenizers.md",
    "examples/fine_tuning/README.md",
)
"""The pages about libraries that Python 3.10 cannot have beside AllenNLP."""

HAS_TODAY = importlib.util.find_spec("keras_hub") is not None
OF_TODAY = (*NEEDS_TODAY, *((ANY_WEIGHTS, "docs/how-to/export-elmo.md") if HAS_TODAY else ()))
"""These, and the pages with blocks that need such libraries, where they are installed."""

NEEDS = {
    "from transformers": "transformers",
    "diffusers": "diffusers",
    "SentenceTransformer": "sentence_transformers",
    "from allennlp": "allennlp",
    "torch.export": "torch.export",
    "import onnxruntime": "onnxruntime",
}
"""What a block says -> the package that it needs, which not every Python has."""


def lacks_a_package(source):
    """Tell whether a block calls an upstream package that this Python cannot have."""
    return any(said in source and importlib.util.find_spec(package) is None for said, package in NEEDS.items())


def complaint(step, following, folder):
    """Return what is wrong with a step that was run, or None."""
    if "crash" in step:
        return step["crash"]
    printed = step["printed"].replace(str(folder), HOME)
    shown = step.get("shown", "")
    if shown and not matches(shown, printed):
        return f"the page shows\n{shown}\nand this is printed\n{printed}"
    told = following.get("shown") if following["source"] == "echo $?" else None
    if step["kind"] == "python" or shown.startswith("Traceback"):
        told = shown
    if step["code"] and not told:
        return f"exit code {step['code']}, of which the page says nothing; this is printed\n{printed}"
    return None


OF_A_SERVER = {"CI", "BUILD_NUMBER", "FORCE_COLOR", "PYTEST_ADDOPTS"}
"""Variables that change what pytest and rich print, and that a reader's terminal does not set."""


def require_torch(page):
    """Skip a page that loads into torch, where torch is not installed."""
    pytest.importorskip("torch", reason=f"{page} loads into torch")


WITHOUT_TORCH = re.compile(r"torch is not installed|No module named '?torch")


def run_page(page, home, run_script):
    """Run the blocks of a page, and return them as they were run."""
    folder = home / "project"
    if page.startswith("docs/tutorial/"):
        folder.mkdir()  # empty, as the reader's
    elif page.startswith("examples/"):
        shutil.copytree((ROOT / page).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        for place in (home, folder):
            testing.write_bert_checkpoint(place / "models/bert")
            testing.write_elmo(place / "models/elmo")
    SET_UP.get(page, lambda _: None)(folder)
    steps = steps_of(page, folder)
    if not steps:
        return []
    path = home / "steps.json"
    path.write_text(json.dumps(steps), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_SERVER} | {
        "HOME": str(home),
        "DATA": str(home / "models"),
        "PAGE_PYTHON": sys.executable,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for scripts that call safeload
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
        "NO_COLOR": "1",
        "COLUMNS": "80",
    }
    done = run_script("-m", "tests.docs.run_page", path, cwd=folder, env=environment)
    if WITHOUT_TORCH.search(done.stderr):
        require_torch(page)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OF_TODAY])
def test_the_blocks_of_a_page_run_and_print_what_it_shows(page, run_script, tmp_path):
    require_right(page, run_script, tmp_path.resolve())


@pytest.mark.skipif(not HAS_TODAY, reason="KerasHub is not installed")
@pytest.mark.parametrize("page", OF_TODAY)
def test_the_blocks_of_a_page_about_a_library_of_today_do_too(page, run_script, tmp_path):
    require_right(page, run_script, tmp_path.resolve())


def require_right(page, run_script, home):
    """Run the blocks of a page, and compare what each prints with what the page shows."""
    steps = run_page(page, home, run_script)
    complaints = [
        f"{step['place']}: {text}"
        for step, after in zip(steps, [*steps[1:], {"source": ""}], strict=False)
        if (text := complaint(step, after, home))
    ]
    if any(map(WITHOUT_TORCH.search, complaints)):
        require_torch(page)
    assert complaints == [], "\n\n".join(complaints)


@pytest.mark.parametrize("page", [page for page in PAGES if page != README])
def test_no_line_that_is_copied_is_wider_than_the_page(page):
    copied = [block for block in blocks_of(page) if block.language != "text"]
    lines = [
        f"{block.place}: {line}"
        for block in copied
        for line in block.text.splitlines()
        if len(line) > MAX_COLUMNS and (block.language != "console" or line.startswith("$ "))
    ]
    assert lines == []


@pytest.mark.parametrize("table", [BEFORE, MADE_BY, NOT_RUN], ids=["BEFORE", "MADE_BY", "NOT_RUN"])
def test_a_row_of_a_table_belongs_to_a_block(table):
    assert set(table) <= {block.key for page in PAGES for block in blocks_of(page)}


def test_a_text_is_compared_but_for_times_and_dots():
    assert matches("read 3 (0.12 s)\n... more\n", "read 3 (7.4 s)\nand 5 more")
    assert not matches("read 3 (0.12 s)", "read 4 (0.12 s)")
    assert not matches("read 3", "read 3\nand more")
    assert matches("1 passed in 0.02s", "1 passed in 3.14s")
    assert matches("a...b...c", "a1b2b3c")
    assert not matches("a...b...c", "a1c2b3")
    assert not matches("a...aa", "aa")
    assert not matches("." * 60 + "x", "." * 60)  # and at once, however many there are
