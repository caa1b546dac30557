"""Run the blocks of one page in order, in this process and in the working directory: `python -m tests.docs.run_page BLOCKS.json`.

Each block gets a `printed` text, an exit `code` and, where it went wrong in a way that no page shows, a `crash`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import traceback

SHELL = 'safeload() { "$PAGE_PYTHON" -m safeload "$@"; }\npython() { "$PAGE_PYTHON" "$@"; }\n'


def run_python(block, names):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(block["source"], block["place"], "exec"), names)
    except Exception as exc:  # noqa: BLE001  (what a block raises is its output)
        kind = type(exc)
        if not kind.__module__.startswith("safeload."):
            block["crash"] = traceback.format_exc()
        printed.write(f"{kind.__module__}.{kind.__qualname__}: {exc}\n")
        block["code"] = 1
    block["printed"] = printed.getvalue()


LOGGED = re.compile(
    r"(?m)^(WARNING: All log messages before absl::|[IWE]\d{4} \d{2}:\d{2}:\d+\.).*\n"
    r"|^.*: UserWarning: The initializer \w+ is unseeded .*\n  warnings\.warn\(\n"
    r"|^.*: FutureWarning: You are using a (non-supported )?Python version .*\n  warnings\.warn\(message, FutureWarning\)\n"
)
"""What other libraries print on stderr: TensorFlow and Google's, while they are imported, and Keras while keras-bert builds."""


def run_shell(block, before):
    script = f"{SHELL}(exit {before})\n{block['source']}\n"
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    block.update(printed=LOGGED.sub("", done.stdout), code=done.returncode)


def run_pytest(block, number):
    path = f"test_page_{number}.py"
    with open(path, "w", encoding="utf-8") as file:
        file.write(block["source"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    block.update(printed="", code=done.returncode)
    if done.returncode:
        block["crash"] = done.stdout


def main(path):
    with open(path, encoding="utf-8") as file:
        blocks = json.load(file)
    names = {"__name__": "__main__", "__file__": os.path.abspath("script.py")}
    code = 0
    for number, block in enumerate(blocks):
        block["code"] = 0
        if block["kind"] == "python":
            run_python(block, names)
        elif block["kind"] == "file":
            with open(block["name"], "w", encoding="utf-8") as file:
                file.write(block["source"])
            block["printed"] = ""
        elif block["kind"] == "pytest":
            run_pytest(block, number)
        else:
            run_shell(block, code)
            code = block["code"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(blocks, file)


if __name__ == "__main__":
    main(sys.argv[1])
