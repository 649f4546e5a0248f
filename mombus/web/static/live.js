// Keeps the page's main part as the hub last rendered it, and says when it can't.
"use strict";
const main = document.getElementById("flows");
const link = document.getElementById("link");
const events = new EventSource(main.dataset.live);
events.onopen = () => { link.textContent = "live"; link.className = ""; };
events.onerror = () => { link.textContent = "the hub doesn't answer, trying again"; link.className = "lost"; };
events.onmessage = (event) => {
  const open = new Set([...main.querySelectorAll("details[open]")].map((one) => one.dataset.open));
  main.innerHTML = event.data;
  for (const one of main.querySelectorAll("details")) { one.open = open.has(one.dataset.open); }
};
