// What is seen: the slate and its order, or why there is nothing to order.
"use strict";

const SMALLEST = 110; // pixels of a photograph below which one rather scrolls

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
  const word = document.createElement("span");
  word.textContent = " answered";
  if (of) at("count").replaceChildren(`${done} of ${of}`, word, time);
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
  shownOrder = "";
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
  const width = room.clientWidth - 12, height = room.clientHeight - 12, count = size();
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
