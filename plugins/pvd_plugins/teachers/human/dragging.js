// Dragging photographs to their places, and around there: a mouse drags at once, a finger on a
// photograph after a moment, since it may want to scroll.
"use strict";

const HOLD = 300; // milliseconds until a finger that rests lifts a photograph
const MOVED = 6; // pixels after which a mouse that is pressed drags
const NEAR = 26; // pixels around the row of places that belong to it

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
  dragged = true;
  if (target !== null) place(position, target);
  else if (event && source.matches(".place")) takeBack(position); // dragged out of the row
}

// The click that follows a drag belongs to it; once anything else is pressed, it is not coming.
let dragged = false;
addEventListener("click", (event) => {
  if (dragged) { event.stopPropagation(); event.preventDefault(); }
  dragged = false;
}, { capture: true });
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { dragged = false; }, { capture: true });
