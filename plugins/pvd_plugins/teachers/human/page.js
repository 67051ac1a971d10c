// The page of a person who judges. The server knows everything that counts: which slate is shown,
// what was placed so far, what was answered. This page shows it and says what the person did.
"use strict";

const at = (id) => document.getElementById(id);
const windowName = Math.random().toString(36).slice(2);

let state = { version: -1 };
let order = []; // positions placed so far, the best first
let rested = false; // the person said "done for now"
let busy = false; // an answer is on its way
let drafting = null; // the draft that is on its way, and whether there is a newer one
let stale = false;
let lost = false; // the server does not answer

// --- the server ---------------------------------------------------------------------------------

async function post(path, value, more = {}) {
  const found = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value), ...more,
  });
  const said = await found.json();
  if (!found.ok) throw Object.assign(new Error(said.why), { status: found.status });
  return said;
}

async function watch() {
  for (;;) {
    if (document.hidden) { // a window that nobody sees asks nothing
      await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
      continue;
    }
    try {
      const found = await fetch(state.version < 0 ? "state" : `state?seen=${state.version}`);
      const said = await found.json();
      if (!found.ok) return end(said.why);
      if (lost) { lost = false; state.version = -1; }
      take(said);
      if (said.over) return;
    } catch {
      if (!lost) { lost = true; show(); }
      await new Promise((again) => setTimeout(again, 1000));
    }
  }
}

function end(why) {
  state = { ...state, slate: null, over: true, why };
  show();
}

function take(next) {
  if (next.version <= state.version) return; // an older one came later
  const before = state.slate, now = next.slate;
  const other = (before && before.id) !== (now && now.id);
  state = next;
  if (other) order = now ? [...now.order] : [];
  // What another window placed; our own is newer than what comes back of it.
  else if (now && now.by !== windowName && !drafting && !busy) order = [...now.order];
  if (other) stop(null);
  show(other, before);
}

async function act(path, value, said) {
  if (busy) return;
  busy = true;
  try {
    stale = false; // the answer says it all
    if (drafting) await drafting.catch(() => {});
    take(await post(path, value));
    notify(said);
  } catch (error) {
    notify(error.status ? error.message : "The program does not answer; try again in a moment.");
  } finally {
    busy = false;
    show();
  }
}

// One draft is on its way at a time, so that an older one never arrives last.
async function draft() {
  if (drafting) { stale = true; return; }
  do {
    stale = false;
    drafting = post("draft", { id: state.slate.id, order, window: windowName }, { keepalive: true });
    // Taken, so that an older state that comes later is known to be old.
    try { take(await drafting); } catch { /* another window was first: the next look at the state says so */ }
    drafting = null;
  } while (stale && state.slate && !busy);
}
addEventListener("pagehide", () => {
  if (stale && state.slate) post("draft", { id: state.slate.id, order, window: windowName }, { keepalive: true }).catch(() => {});
});

// --- what the person does -----------------------------------------------------------------------

const size = () => state.slate.pictures.length;
const whole = () => order.length >= Math.max(size() - 1, 1); // the last one has its place then
const can = () => state.slate && !busy && !rested && !at("manual").open;

function place(position, index = order.length) {
  const from = order.indexOf(position);
  if (from >= 0) order.splice(from, 1);
  order.splice(Math.min(index, order.length), 0, position);
  changed();
}
function takeBack(position) {
  order = order.filter((other) => other !== position);
  changed();
}
function toggle(position) {
  if (order.includes(position)) takeBack(position);
  else place(position);
}
function changed() {
  show();
  draft();
  if (whole() && !document.activeElement.matches(".tile")) at("next").focus({ preventScroll: true });
}
function answer() {
  if (can() && order.length) act("answer", { id: state.slate.id, order });
}
function skip() {
  if (can()) act("skip", { id: state.slate.id, order }, "Skipped: nothing is said about these.");
}
function undo() {
  if (state.undo && !busy && !at("manual").open) { rested = false; act("undo", {}, "Taken back: order it again."); }
}
async function done() {
  await act("done", {});
  rested = true;
  show();
}

at("next").addEventListener("click", answer);
at("skip").addEventListener("click", skip);
at("undo").addEventListener("click", undo);
at("back").addEventListener("click", undo);
at("done").addEventListener("click", done);
at("on").addEventListener("click", () => { if (rested) { rested = false; show(true); } else act("done", {}); });
at("help").addEventListener("click", () => at("manual").showModal());

addEventListener("keydown", (event) => {
  if (at("manual").open || event.repeat) return;
  const key = event.key, tile = document.activeElement.closest(".tile");
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") { event.preventDefault(); undo(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (key.toLowerCase() === "u") undo();
  else if (key === "?") at("manual").showModal();
  else if (!can()) return;
  else if (/^[1-9]$/.test(key)) { if (+key <= size()) toggle(+key - 1); }
  else if (key.startsWith("Arrow")) { event.preventDefault(); walk(key, tile); }
  else if (key === "Backspace") { event.preventDefault(); if (order.length) takeBack(order.at(-1)); }
  else if (key.toLowerCase() === "s") skip();
  else if (key === "Enter" && (event.shiftKey || (whole() && (tile || document.activeElement.matches("body, h1, #next"))))) {
    event.preventDefault();
    answer();
  } else if (key === "Enter" && tile) {
    event.preventDefault();
    const position = +tile.dataset.position;
    if (!order.includes(position)) place(position);
  }
});

function walk(key, tile) {
  const tiles = [...document.querySelectorAll(".tile")];
  const columns = +at("pictures").dataset.columns;
  const here = tile ? tiles.indexOf(tile) : -1;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const to = here < 0 ? 0 : here + step;
  if (tiles[to]) tiles[to].focus();
}

addEventListener("DOMContentLoaded", watch); // the other scripts are there then
