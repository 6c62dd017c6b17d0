"use strict";

const $ = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(share * 100)} %`;
const words = { unsure: "Unsure", ai: "AI-generated", real: "Real" };
let asked = 0;
let shown = null;

function say(text) {
  $("status").textContent = text;
}

function list(id, lines) {
  $(id).replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

function show(verdict, file) {
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  $("picture").src = shown;
  $("prediction").textContent = words[verdict.prediction] ?? verdict.prediction;
  list("probabilities", Object.entries(verdict.probabilities).map(([k, p]) => `${words[k] ?? k}: ${percent(p)}`));
  list("reasons", verdict.reasons);
  const version = verdict.model.version ?? "no model yet";
  $("model").textContent = `${version}, ${verdict.encoder.id}, ${Math.round(verdict.timing_ms.total)} ms`;
  $("verdict").hidden = false;
}

async function ask(file) {
  const mine = ++asked;
  $("verdict").hidden = true;
  if (file.size > Number($("file").dataset.mostBytes)) return say("This file is too large.");
  say("Looking ...");
  const form = new FormData();
  form.append("image", file);
  try {
    const response = await fetch("classify", { method: "POST", body: form });
    const document_ = await response.json();
    if (mine !== asked) return; // a later picture was chosen meanwhile
    if (!response.ok) return say(document_.error.message);
    say("");
    show(document_, file);
  } catch {
    if (mine === asked) say("The service does not answer.");
  }
}

$("file").addEventListener("change", (event) => {
  if (event.target.files[0]) ask(event.target.files[0]);
  event.target.value = ""; // the same picture may be chosen again
});
for (const name of ["dragenter", "dragover"]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  $("drop").addEventListener(name, () => $("drop").classList.remove("over"));
}
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => event.preventDefault()); // never leave the page
}
$("drop").addEventListener("drop", (event) => {
  if (event.dataTransfer.files[0]) ask(event.dataTransfer.files[0]);
});
