// Keeps live parts as the hub last rendered them, and says when it can't. Pages work without it.
"use strict";

const link = document.getElementById("link");

function say(text, how) {
  if (link.textContent !== text) { link.textContent = text; }
  link.className = `link ${how}`;
}

// A live part isn't replaced under somebody's hands: what came meanwhile is shown once they are done.
function isBusy(part) {
  return part.querySelector("details.deed[open]") !== null
    || (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));
}

function replace(part, html) {
  const open = new Set([...part.querySelectorAll("details[open][data-open]")].map((one) => one.dataset.open));
  const at = document.activeElement;
  const focus = part.contains(at) ? at.id || at.closest("[data-open]")?.dataset.open : null;
  part.innerHTML = html;
  for (const one of part.querySelectorAll("details[data-open]")) {
    one.open = open.has(one.dataset.open);
    if (focus && one.dataset.open === focus) { one.querySelector("summary").focus(); }
  }
  if (focus) { document.getElementById(focus)?.focus(); }
}

function keepLive(part) {
  let pending = null;
  const show = () => {
    if (pending === null || isBusy(part)) { return; }
    replace(part, pending);
    pending = null;
    say("live", "live");
  };
  const lost = (why) => {
    const now = new Date().toLocaleTimeString("en-GB", {timeZone: document.documentElement.dataset.zone});
    if (!link.classList.contains("lost")) { say(`${why}: this is what it said at ${now}; trying again`, "lost"); }
    part.classList.add("stale");
  };
  const listen = () => {
    const events = new EventSource(part.dataset.live);
    events.onopen = () => { say("live", "live"); part.classList.remove("stale"); };
    events.onerror = () => {
      lost("no answer from the hub");
      // After a refusal, such as that the hub is away, it doesn't try again by itself.
      if (events.readyState === EventSource.CLOSED) { setTimeout(listen, 5000); }
    };
    events.addEventListener("away", (event) => lost(event.data));
    events.onmessage = (event) => {
      part.classList.remove("stale");
      pending = event.data;
      if (isBusy(part)) { say("paused while you decide", "paused"); }
      show();
    };
  };
  listen();
  part.addEventListener("toggle", () => setTimeout(show), true);
  part.addEventListener("focusout", () => setTimeout(show));
}

for (const part of document.querySelectorAll("[data-live]")) { keepLive(part); }

// Where the pages' names are wider than the screen, the one that is shown is seen among them.
const shown = document.querySelector(".menu [aria-current]");
if (shown) {
  const names = shown.closest("ul");
  names.scrollLeft = shown.offsetLeft - (names.clientWidth - shown.offsetWidth) / 2;
}

// One decision at a time is open; Escape closes it and gives the focus back.
document.addEventListener("toggle", (event) => {
  const deed = event.target;
  if (!deed.matches?.("details.deed") || !deed.open) { return; }
  for (const other of document.querySelectorAll("details.deed[open]")) { if (other !== deed) { other.open = false; } }
  if (!deed.querySelector(".close")) {
    const close = Object.assign(document.createElement("button"), {type: "button", className: "close", textContent: "Not now"});
    deed.querySelector("form").append(close);
  }
  deed.querySelector("input:not([type=hidden]), textarea")?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  const deed = event.key === "Escape" && document.activeElement?.closest("details.deed[open]");
  if (deed) { deed.open = false; deed.querySelector("summary").focus(); }
});

document.addEventListener("click", (event) => {
  if (event.target.matches?.("details.deed[open], details.deed .close")) { event.target.closest("details").open = false; }
});

// What came of a deed is read out: only what changes in a page that is there already is.
const told = document.getElementById("told");
if (told) {
  const text = told.textContent;
  told.textContent = "";
  setTimeout(() => { told.textContent = text; }, 200);
}

// What is sent is sent once, and again by who comes back to the form.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) { delete form.dataset.sent; }
});
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  if (event.target.method === "post") { event.target.dataset.sent = "yes"; }
});

// A filter is applied as soon as something is chosen.
document.addEventListener("change", (event) => {
  if (event.target.matches("form.filter select, form.filter input[type=checkbox]")) { event.target.form.requestSubmit(); }
});
