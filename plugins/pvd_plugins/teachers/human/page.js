// The page of a person who judges. The server knows everything that counts: which slate is shown,
// what was placed so far, what was answered. This page shows it and says what the person did.
"use strict";

const HOLD = 300; // milliseconds until a finger that rests lifts a photograph
const MOVED = 6; // pixels after which a mouse that is pressed drags
const NEAR = 26; // pixels around the row of places that belong to it
const SMALLEST = 110; // pixels of a photograph below which one rather scrolls
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
      const found = await fetch(`state?seen=${state.version}`);
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
    try { await drafting; } catch { /* another window was first: the next look at the state says so */ }
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

// --- dragging: a mouse at once, a finger on a photograph after a moment -------------------------

let held = null; // { position, pointer, x, y, source, ghost, timer }

function press(event, position) {
  if (held || event.button || !can()) return;
  held = { position, pointer: event.pointerId, x: event.clientX, y: event.clientY, source: event.currentTarget };
  const finger = event.pointerType !== "mouse";
  if (finger && held.source.matches(".tile")) held.timer = setTimeout(() => lift(held.x, held.y), HOLD);
}
function lift(x, y) {
  if (!held || held.ghost) return;
  held.ghost = document.createElement("div");
  held.ghost.className = "ghost";
  held.ghost.append(held.source.querySelector("img").cloneNode());
  document.body.append(held.ghost);
  held.source.classList.add("lifted");
  move(x, y);
}
function move(x, y) {
  held.ghost.style.transform = `translate(${x - 55}px, ${y - 62}px)`;
  const target = under(x, y);
  at("places").classList.toggle("over", target !== null);
  [...at("places").children].forEach((slot, index) => slot.classList.toggle("target", index === target));
}
// The place under the pointer; null outside of the row, with some room around it.
function under(x, y) {
  const row = at("places").getBoundingClientRect();
  if (y < row.top - NEAR || y > row.bottom + NEAR || x < row.left - NEAR || x > row.right + NEAR) return null;
  const placed = order.length - (order.includes(held.position) ? 1 : 0);
  const slots = [...at("places").children].map((slot) => slot.getBoundingClientRect());
  const index = slots.findIndex((slot) => x < slot.right + 3);
  return Math.min(index < 0 ? slots.length - 1 : index, placed);
}
addEventListener("pointermove", (event) => {
  if (!held || event.pointerId !== held.pointer) return;
  const far = Math.hypot(event.clientX - held.x, event.clientY - held.y) > MOVED;
  if (held.ghost) move(event.clientX, event.clientY);
  else if (far && held.timer) stop(null); // a finger that moves at once scrolls
  else if (far) lift(event.clientX, event.clientY);
});
addEventListener("pointerup", (event) => { if (held && event.pointerId === held.pointer) stop(event); });
addEventListener("pointercancel", (event) => { if (held && event.pointerId === held.pointer) stop(null); });
// A finger that has lifted a photograph must not scroll as well.
addEventListener("touchmove", (event) => { if (held && held.ghost) event.preventDefault(); }, { passive: false });
addEventListener("contextmenu", (event) => { if (event.target.closest(".tile, .place")) event.preventDefault(); });
addEventListener("dragstart", (event) => event.preventDefault());

function stop(event) {
  if (!held) return;
  const { position, ghost, source, timer } = held;
  clearTimeout(timer);
  const target = event && ghost ? under(event.clientX, event.clientY) : null;
  source.classList.remove("lifted");
  at("places").classList.remove("over");
  [...at("places").children].forEach((slot) => slot.classList.remove("target"));
  held = null;
  if (!ghost) return;
  ghost.remove();
  // The click that follows belongs to the drag.
  const swallow = (click) => { click.stopPropagation(); click.preventDefault(); };
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
  if (target !== null) place(position, target);
  else if (event && source.matches(".place")) takeBack(position); // dragged out of the row
}

// --- what is seen -------------------------------------------------------------------------------

const ready = new Map(); // pictures of the next slates, so that they are there at once

function show(other = false, before = null) {
  const asking = Boolean(state.slate) && !rested && !lost;
  at("asking").hidden = !asking;
  at("resting").hidden = asking || state.version < 0 && !lost;
  showCount();
  at("undo").disabled = !state.undo || busy;
  at("skip").disabled = !asking || busy;
  at("done").disabled = !(asking || state.undo) || busy;
  if (asking) {
    if (other || at("pictures").dataset.id !== state.slate.id) showSlate(before);
    showOrder();
  } else showRest();
  prefetch();
}

function showCount() {
  const { done = 0, of = 0, seconds = null } = state;
  at("filled").style.width = of ? `${(100 * done) / of}%` : "0";
  at("bar").setAttribute("aria-valuemax", of);
  at("bar").setAttribute("aria-valuenow", done);
  const minutes = seconds === null ? null : Math.ceil(seconds / 60);
  const time = minutes === null || done >= of ? "" : minutes >= 90 ? `, about ${Math.round(minutes / 60)} hours left` : `, about ${minutes} min left`;
  at("count").textContent = of ? `${done} of ${of} answered${time}` : "";
  document.title = of ? `${done}/${of} · pvd` : "pvd";
}

function showSlate(before) {
  const { id, persona, pictures } = state.slate;
  at("question").textContent = state.question;
  const heading = at("persona"), same = before && before.persona === persona;
  heading.textContent = persona;
  heading.classList.toggle("long", persona.length > 220);
  heading.classList.remove("new");
  if (!same) { void heading.offsetWidth; heading.classList.add("new"); heading.scrollTop = 0; }
  at("pictures").dataset.id = id;
  at("pictures").replaceChildren(...pictures.map(tileOf));
  at("pictures").scrollTop = 0;
  layout();
  heading.focus({ preventScroll: true });
}

function tileOf(picture, position) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.dataset.position = position;
  const image = imageOf(picture);
  image.addEventListener("load", () => { image.classList.add("there"); layout(); });
  image.addEventListener("error", () => {
    const said = document.createElement("span");
    said.className = "lost";
    said.textContent = "This photograph cannot be shown.";
    tile.prepend(said);
  });
  if (image.complete && image.naturalWidth) image.classList.add("there");
  const key = document.createElement("kbd");
  key.className = "key";
  key.textContent = position + 1;
  key.hidden = position > 8;
  const badge = document.createElement("span");
  badge.className = "badge";
  tile.append(image, key, badge);
  tile.addEventListener("click", () => { if (can()) toggle(position); });
  tile.addEventListener("pointerdown", (event) => press(event, position));
  const cell = document.createElement("li");
  cell.append(tile);
  return cell;
}

function imageOf(picture) {
  const image = document.createElement("img");
  image.alt = "";
  image.draggable = false;
  image.decoding = "async";
  image.src = `picture/${picture}`;
  return image;
}

let shownOrder = "";

function showOrder() {
  const { id, pictures } = state.slate, count = size(), left = count - order.length;
  const now = `${id} ${order} ${busy}`;
  if (now === shownOrder) return; // what is dragged now must not be replaced for nothing
  shownOrder = now;
  document.querySelectorAll(".tile").forEach((tile, position) => {
    const rank = order.indexOf(position), implied = rank < 0 && left === 1;
    tile.setAttribute("aria-pressed", rank >= 0);
    tile.setAttribute("aria-label", `Photograph ${position + 1}` + (rank >= 0 ? `, place ${rank + 1} of ${count}` : implied ? ", last" : ""));
    tile.classList.toggle("first", rank === 0);
    tile.classList.toggle("rest", implied);
    const badge = tile.querySelector(".badge");
    badge.hidden = rank < 0 && !implied;
    badge.textContent = rank >= 0 ? rank + 1 : count;
  });
  const focused = document.activeElement.closest(".place");
  const slots = pictures.map((_, index) => slotOf(index));
  at("places").replaceChildren(...slots);
  if (focused) (at("places").querySelector(`[data-position="${focused.dataset.position}"]`) || at("next")).focus();
  const next = at("next");
  next.disabled = !order.length || busy;
  next.classList.toggle("partial", Boolean(order.length) && !whole());
  const more = document.createElement("small"), key = document.createElement("kbd");
  key.textContent = whole() ? "Enter" : "Shift Enter";
  if (!order.length) next.replaceChildren("Choose the best");
  else if (whole()) next.replaceChildren("Next ", key);
  else { more.append(`the other ${left} are all worse `, key); next.replaceChildren("Next", more); }
}

function slotOf(index) {
  const slot = document.createElement("li"), position = order[index];
  if (position === undefined) {
    const empty = document.createElement("div"), count = size();
    empty.className = "empty";
    empty.setAttribute("aria-hidden", "true");
    const left = state.slate.pictures.findIndex((_, other) => !order.includes(other));
    // The one that is left over has the last place, said or not.
    if (order.length === count - 1 && count > 1) empty.append(imageOf(state.slate.pictures[left]));
    else empty.textContent = index + 1;
    slot.append(empty);
    return slot;
  }
  const button = document.createElement("button"), number = document.createElement("b");
  button.type = "button";
  button.className = "place";
  button.dataset.position = position;
  button.setAttribute("aria-label", `Place ${index + 1}: photograph ${position + 1}; take it back`);
  number.textContent = index + 1;
  button.append(imageOf(state.slate.pictures[position]), number);
  button.addEventListener("click", () => { if (can()) takeBack(position); });
  button.addEventListener("pointerdown", (event) => press(event, position));
  slot.append(button);
  return slot;
}

function showRest() {
  const kept = "Everything that you handed in is kept.";
  let title, text, on = "";
  if (lost) [title, text] = ["No connection", `The program does not answer; this page goes on trying. ${kept} If the command was stopped, give it again and open the address that it prints.`];
  else if (state.over) [title, text] = ["The command has ended", state.why || `${kept} If it was not finished, the same command goes on from here: open the address that it prints then.`];
  else if (rested) [title, text, on] = ["Done for now", `${kept} The command goes on waiting: come back to this page whenever you like, or stop it with Ctrl-C and give the same command tomorrow.`, "Go on"];
  else if (state.pause !== null && state.pause !== undefined) [title, text, on] = ["That was the last one for now", "It goes in after a few seconds; until then it can be taken back.", "Hand in now"];
  else [title, text] = ["Nothing to order right now", "The program is at work. This page goes on by itself when there is something to order."];
  if (at("restTitle").textContent !== title) {
    at("restTitle").textContent = title;
    setTimeout(() => { if (!at("resting").hidden) (on ? at("on") : at("restTitle")).focus({ preventScroll: true }); }, 0);
  }
  at("restText").textContent = text;
  at("on").hidden = !on;
  at("on").textContent = on;
  at("on").disabled = busy;
  at("back").hidden = !state.undo || lost || Boolean(state.over);
}

let quiet = 0;
function notify(said) {
  clearTimeout(quiet);
  at("notice").classList.toggle("shown", Boolean(said));
  if (!said) return;
  at("notice").textContent = said;
  quiet = setTimeout(() => at("notice").classList.remove("shown"), 4000);
}

function prefetch() {
  const wanted = new Set(state.next || []);
  for (const picture of ready.keys()) if (!wanted.has(picture)) ready.delete(picture);
  for (const picture of wanted) if (!ready.has(picture)) ready.set(picture, imageOf(picture));
}

// As many columns as make the photographs largest, and cells no larger than what is in them; a phone
// scrolls rather than show stamps.
function layout() {
  if (!state.slate || at("asking").hidden) return;
  const room = at("pictures"), gap = parseFloat(getComputedStyle(room).columnGap) || 0, edge = 4;
  const width = room.clientWidth - 8, height = room.clientHeight - 8, count = size();
  const shapes = [...room.querySelectorAll("img")].map((image) => (image.naturalWidth ? image.naturalWidth / image.naturalHeight : 0.8));
  const cells = (columns, rows) => ({ columns, wide: (width - gap * (columns - 1)) / columns - edge, high: (height - gap * (rows - 1)) / rows - edge });
  const drawn = ({ wide, high }) => shapes.reduce((sum, shape) => sum + Math.min(wide, high * shape) * Math.min(high, wide / shape), 0);
  let best = null;
  for (let columns = 1; columns <= count; columns++) {
    const other = cells(columns, Math.ceil(count / columns));
    if (other.high > 0 && other.wide > 0 && (!best || drawn(other) > drawn(best))) best = other;
  }
  if (!best || drawn(best) < count * SMALLEST ** 2) {
    best = cells(width < 600 ? 2 : 3, 1);
    best.high = best.wide * 1.1;
  }
  const wide = Math.max(...shapes.map((shape) => Math.min(best.wide, best.high * shape)), 80);
  const high = Math.max(...shapes.map((shape) => Math.min(best.high, best.wide / shape)), 80);
  room.style.setProperty("--columns", best.columns);
  room.style.setProperty("--wide", `${Math.floor(wide + edge)}px`);
  room.style.setProperty("--high", `${Math.floor(high + edge)}px`);
  room.dataset.columns = best.columns;
}
addEventListener("resize", layout);

watch();
