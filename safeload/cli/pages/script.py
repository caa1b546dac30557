"""The script of every page: buttons that copy, and a box that filters. Without it the page has neither, and all of its text. Plain ASCII."""

from __future__ import annotations

SCRIPT = """
const said = document.getElementById("said");
const select = text => {
  const range = document.createRange();
  range.selectNodeContents(text);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};
const copy = async text => {
  try {
    await navigator.clipboard.writeText(text.textContent);
    return true;
  } catch {
    select(text);
    return document.execCommand("copy");
  }
};
for (const text of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  const label = "Copy " + text.dataset.copy;
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    const done = await copy(text) ? "Copied" : "Selected";
    button.textContent = done;
    said.textContent = done + ": " + text.dataset.copy;
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
  text.after(button);
}
for (const box of document.querySelectorAll("[data-filter]")) {
  const part = document.getElementById(box.dataset.filter), count = box.parentElement.querySelector("output");
  const rows = [...part.querySelectorAll("article, tbody tr")].map(row => [row, row.textContent.toLowerCase()]);
  box.parentElement.hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\\s+/);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden && row.matches("tr");
    }
    count.textContent = box.value ? shown + " shown" : "";
  });
}
"""
