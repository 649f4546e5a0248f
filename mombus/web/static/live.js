// Keeps the page's main part as the hub last rendered it, and says when it can't.
"use strict";
const main = document.getElementById("flows");
const link = document.getElementById("link");
const events = new EventSource(main.dataset.live);
events.onopen = () => { link.textContent = "live"; link.className = main.className = ""; };
events.onerror = () => {
  if (link.className === "lost") { return; }
  const now = new Date().toLocaleTimeString("en-GB");
  link.textContent = `no answer from the hub: this is what it said at ${now}; trying again`;
  link.className = "lost";
  main.className = "stale";
};
events.onmessage = (event) => {
  const open = new Set([...main.querySelectorAll("details[open]")].map((one) => one.dataset.open));
  main.innerHTML = event.data;
  for (const one of main.querySelectorAll("details")) { one.open = open.has(one.dataset.open); }
};
