"use strict";
// Turns the points and the comment of each written answer into a line for points.csv.

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

// A spreadsheet takes a cell that begins like this for a formula: "-½: a step is missing".
const safe = (text) => (/^\s*[=+\-@＝＋－＠]/.test(text) ? `'${text}` : text);

for (const panel of document.querySelectorAll(".rubric")) {
  const fields = [...panel.querySelectorAll("input[type=number]")];
  const comment = panel.querySelector("textarea");
  const line = panel.querySelector(".line");
  const status = panel.querySelector("[role=status]");

  const update = () => {
    const filled = fields.filter((field) => field.value !== "" && field.validity.valid);
    const sum = filled.reduce((total, field) => total + field.valueAsNumber, 0);
    const isComplete = filled.length === fields.length;
    const cells = [
      panel.dataset.submission,
      panel.dataset.name,
      isComplete ? String(sum) : "",
      safe(comment.value.trim().replace(/\s+/g, " ")),
    ];
    panel.querySelector("output").textContent = filled.length ? String(sum) : "–";
    line.value = cells.map(quoted).join(",");
    if (fields.some((field) => !field.validity.valid)) {
      status.textContent = "Points go in steps of ½ from 0 to the row's maximum.";
    } else {
      const open = fields.length - filled.length;
      status.textContent = isComplete
        ? ""
        : `${open} of ${fields.length} rows to fill in; the line has no points until then.`;
    }
  };

  const copy = async () => {
    update();
    try {
      await navigator.clipboard.writeText(line.value);
    } catch {
      line.select();
      if (!document.execCommand("copy")) {
        status.textContent = "The browser does not allow it; copy the line by hand.";
        return;
      }
    }
    status.textContent = `Copied. ${status.textContent}`;
  };

  const save = () => {
    update();
    // Excel knows UTF-8 by the mark at the beginning.
    const text = `\ufeffsubmission,name,points,comment\r\n${line.value}\r\n`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = panel.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    status.textContent = `Saved as ${panel.dataset.file}. ${status.textContent}`;
  };

  panel.addEventListener("input", update);
  panel.querySelector(".copy").addEventListener("click", copy);
  panel.querySelector(".save").addEventListener("click", save);
  update();
}
