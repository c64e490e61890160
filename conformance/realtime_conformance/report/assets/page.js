"use strict";

// The page without this script holds all that was found; the script filters it, draws runs step by
// step, and marks what was covered. It asks nobody for anything.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

// -- filters --------------------------------------------------------------------------------

const filters = $("#filters");
const findings = $$(".finding");

function matches(finding, wanted) {
  return Object.entries(wanted).every(([name, value]) => {
    if (!value) return true;
    if (name === "text") return finding.textContent.toLowerCase().includes(value.toLowerCase());
    return (finding.dataset[name] || "").split(" ").includes(value);
  });
}

function wanted() {
  return Object.fromEntries(new FormData(filters));
}

function filter() {
  let shown = 0;
  for (const finding of findings) {
    finding.hidden = !matches(finding, wanted());
    shown += !finding.hidden;
  }
  const all = shown === findings.length ? "" : ` of ${findings.length}`;
  $("#count").textContent = `${shown}${all} finding${shown === 1 && !all ? "" : "s"}`;
}

function remember() {
  const set = Object.entries(wanted()).filter(([, value]) => value);
  address(`#findings${set.length ? `?${new URLSearchParams(set)}` : ""}`);
}

function address(hash) {
  history.replaceState(null, "", hash);
}

filters.addEventListener("input", () => { filter(); remember(); });
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(() => { filter(); remember(); }));

// -- runs -----------------------------------------------------------------------------------

function known(step, who) {
  return data.known[step[who]];
}

function move(step) {
  const near = step.from === "people" || step.to === "people";
  const order = ["people", "client", "server"];
  if (step.from === step.to) return `far at-${step.from}`;
  const right = order.indexOf(step.from) < order.indexOf(step.to);
  return `${near ? "near" : "far"} ${right ? "right" : "left"}`;
}

function clock(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}

function row(step, number, before) {
  const note = step.note ? ` (${step.note})` : "";
  const text = [step.detail || "", note].join("").trim();
  const line = make("span", { class: `move ${move(step)}` },
    make("b", {}, step.label), text ? " " : "", text ? make("small", {}, text) : "");
  const fresh = step.phase === "fresh" && (!before || before.phase !== "fresh");
  return make("li", { class: `step${step.rejects ? " rejects" : ""}`, role: "option", "aria-selected": "false", "data-step": number },
    fresh ? make("span", { class: "phase" }, "a fresh turn, to see whether the session goes on") : "",
    make("span", { class: "time" }, clock(step.at || 0)),
    make("span", { class: "track" }, line),
    ...(step.findings || []).map((one) => make("span", { class: `breach ${one.verdict}` }, `${one.verdict}: ${one.check}: ${one.text}`)));
}

const NAMES = { people: "user, app or speaker", client: "client", server: "server" };

function list(values, before) {
  const entries = Object.entries(values).flatMap(([name, value]) => [
    make("dt", {}, name),
    make("dd", { class: before && before[name] !== value ? "fresh" : false }, String(value)),
  ]);
  return make("dl", {}, ...entries);
}

class Viewer {
  constructor(finding, run) {
    this.finding = finding;
    this.steps = data.runs[run];
    this.at = -1;
    this.rows = this.steps.map((step, number) => row(step, number, this.steps[number - 1]));
    this.rows.forEach((element, number) => { element.id = `${finding.id}-step-${number + 1}`; });
    this.list = make("ol", { class: "steps", role: "listbox", tabindex: "0", "aria-label": "Steps of the run; arrow keys go through them" }, ...this.rows);
    this.where = make("span", { class: "where" });
    this.knowledge = make("div", { class: "knowledge", "aria-live": "polite" });
    const button = (text, label, act) => {
      const made = make("button", { type: "button", "aria-label": label }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.back = button("◀", "Previous step", () => this.go(this.at - 1));
    this.on = button("▶", "Next step", () => this.go(this.at + 1));
    this.root = make("div", {},
      make("div", { class: "bar" },
        button("|◀", "First step", () => this.go(0)), this.back, this.where, this.on,
        button("▶|", "Last step", () => this.go(this.steps.length - 1)),
        button("To the finding", "To the step that breaks it", () => this.go(this.breach())),
        make("small", { class: "hint" }, "arrow keys, Home, End")),
      make("div", { class: "panes" },
        make("div", { class: "diagram" },
          make("div", { class: "lanes", "aria-hidden": "true" }, make("span", {}, "people"), make("span", {}, "client"), make("span", {}, "server")),
          this.list),
        this.knowledge));
    this.list.addEventListener("click", (event) => {
      const chosen = event.target.closest(".step");
      if (chosen) this.go(Number(chosen.dataset.step));
    });
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  /** The step at which the check of this finding speaks, or else the first at which one does. */
  breach() {
    const speaks = (step, check) => (step.findings || []).some((one) => !check || one.check === check);
    const own = this.steps.findIndex((step) => speaks(step, this.finding.dataset.check));
    return own >= 0 ? own : Math.max(this.steps.findIndex((step) => speaks(step)), 0);
  }

  key(event) {
    const to = {
      ArrowDown: this.at + 1, ArrowRight: this.at + 1, ArrowUp: this.at - 1, ArrowLeft: this.at - 1,
      PageDown: this.at + 8, PageUp: this.at - 8, Home: 0, End: this.steps.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.go(to);
  }

  go(number, quietly = false) {
    const to = Math.min(Math.max(number, 0), this.steps.length - 1);
    if (this.rows[this.at]) this.rows[this.at].setAttribute("aria-selected", "false");
    this.at = to;
    const current = this.rows[to];
    current.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", current.id);
    const top = current.offsetTop - this.list.clientHeight / 2 + current.offsetHeight / 2;
    this.list.scrollTop = Math.max(top, 0);
    this.where.textContent = `step ${to + 1} of ${this.steps.length}`;
    this.back.disabled = to === 0;
    this.on.disabled = to === this.steps.length - 1;
    this.tell(this.steps[to], this.steps[to - 1]);
    if (!quietly) address(`#${this.finding.id}/${to + 1}`);
  }

  tell(step, before) {
    const goes = step.from === step.to ? NAMES[step.from] : `${NAMES[step.from]} to ${NAMES[step.to]}`;
    const state = {};
    for (const earlier of this.steps.slice(0, this.at + 1)) Object.assign(state, earlier.changes || {});
    const past = before ? (who) => known(before, who) : () => null;
    this.knowledge.replaceChildren(
      make("p", { class: "what" }, `${goes}: ${step.label}`),
      make("div", { class: "sides" },
        make("div", {}, make("h4", {}, "The server knew before it"), list(known(step, "server"), past("server"))),
        make("div", {}, make("h4", {}, "The client could know"), list(known(step, "client"), past("client")))),
      make("h4", {}, "The step changes"),
      step.changes ? list(step.changes) : make("p", {}, "nothing"),
      make("p", {}, make("small", {}, step.rule ? `rule ${step.rule}` : step.note || "")),
      make("details", {}, make("summary", {}, "Everything that has changed since the beginning"), list(state)));
  }
}

function open(finding, button, step) {
  const place = $(".viewer", finding);
  const same = place.dataset.run === button.dataset.run && !place.hidden;
  if (!same) {
    finding.viewer = new Viewer(finding, Number(button.dataset.run));
    place.replaceChildren(finding.viewer.root);
    place.dataset.run = button.dataset.run;
    place.hidden = false;
    for (const other of $$("button.open", finding)) {
      other.setAttribute("aria-expanded", String(other === button));
      other.textContent = other === button ? "Close" : "Step through";
    }
  }
  finding.viewer.go(step === undefined ? finding.viewer.breach() : step, true);
}

function close(finding) {
  $(".viewer", finding).hidden = true;
  for (const button of $$("button.open", finding)) {
    button.setAttribute("aria-expanded", "false");
    button.textContent = "Step through";
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.open");
  if (button) {
    const finding = button.closest(".finding");
    if (button.getAttribute("aria-expanded") === "true") close(finding);
    else {
      open(finding, button);
      finding.viewer.list.focus({ preventScroll: true });
      $(".viewer", finding).scrollIntoView({ block: "nearest" });
      address(`#${finding.id}`);
    }
  }
  const copy = event.target.closest("button.copy");
  if (copy) copyText(copy);
});

async function copyText(button) {
  const code = $(".command", button.parentElement);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// -- links into the page --------------------------------------------------------------------

function follow() {
  const hash = decodeURIComponent(location.hash.slice(1));
  if (hash === "findings" || hash.startsWith("findings?")) followFilter(hash);
  else if (hash.startsWith("finding-")) followFinding(hash);
  else if (hash.startsWith("check-")) $(".about").open = true;
}

function followFilter(hash) {
  const asked = new URLSearchParams(hash.split("?")[1] || "");
  for (const control of filters.elements) {
    if (control.name) control.value = asked.get(control.name) || "";
  }
  filter();
  $("#findings").scrollIntoView();
}

function followFinding(hash) {
  const [id, step] = hash.split("/");
  const finding = document.getElementById(id);
  for (const other of findings) other.classList.toggle("named", other === finding);
  if (!finding) return;
  if (finding.hidden) { filters.reset(); for (const other of findings) other.hidden = false; }
  const button = $("button.open[data-first]", finding) || $("button.open", finding);
  if (button) open(finding, button, step === undefined ? undefined : Number(step) - 1);
  finding.scrollIntoView();
  if (button) $(".viewer", finding).scrollIntoView({ block: "nearest" });
}

addEventListener("hashchange", follow);

// -- coverage -------------------------------------------------------------------------------

const picture = $("#picture");

function drawMachines() {
  const { scope, column } = Object.fromEntries(new FormData(picture));
  const name = picture.elements.column.options[Number(column)].textContent;
  const marks = (data.coverage[scope] || {})[name];
  const place = $("#machines");
  if (!marks) {
    place.replaceChildren(make("p", {}, `${name} was not driven through ${scope}.`));
    return;
  }
  place.replaceChildren(...marks.map(machine));
  $$(".scroll", place).forEach(centre);
}

/** Where a picture is too wide, begin with the state in which a run does, and with the list open. */
function centre(frame) {
  if (frame.scrollWidth <= frame.clientWidth) return;
  const state = $(".initial", frame).getBoundingClientRect();
  const seen = frame.getBoundingClientRect();
  frame.scrollLeft = state.left + state.width / 2 - seen.left - seen.width / 2;
  $("details", frame.parentElement).open = true;
}

function machine(mark) {
  const drawing = data.diagrams[mark.picture];
  const frame = make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `Machine ${drawing.name}` });
  frame.innerHTML = drawing.svg;
  const states = new Map($$(".state", frame).map((one) => [one.dataset.state, one]));
  mark.nodes.forEach((covered, n) => states.get(drawing.nodes[n].join("/")).classList.toggle("missed", !covered));
  const arrows = $$(".arrow", frame);
  const rules = drawing.arrows.map(([from, to, names], n) => {
    const covered = mark.arrows[n];
    const state = covered.every(Boolean) ? "covered" : covered.some(Boolean) ? "partly" : "missed";
    arrows[n].classList.add(state);
    $$("text", arrows[n]).forEach((text, r) => text.classList.toggle("missed", !covered[r]));
    const ids = names.flatMap((id, r) => [r ? ", " : "", make("code", { class: covered[r] ? false : "missed" }, id)]);
    return make("li", { class: state }, ...ids, make("span", {}, `: ${drawing.nodes[from].join(", ")} to ${drawing.nodes[to].join(", ")}`));
  });
  const count = (flags) => `${flags.filter(Boolean).length} of ${flags.length}`;
  return make("div", { class: "part" },
    make("h3", {}, drawing.name),
    make("p", {}, make("small", {}, `${drawing.fields.join(", ")}; ${count(mark.nodes)} states, ${count(mark.arrows.flat())} rules between them`)),
    frame,
    make("details", {}, make("summary", {}, "The same as a list"), make("ol", {}, ...rules)));
}

picture.addEventListener("input", drawMachines);

filter();
drawMachines();
follow();
