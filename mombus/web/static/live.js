// Keeps the page's main part as the hub last rendered it, and says when it can't.
"use strict";
const main = document.getElementById("flows");
const link = document.getElementById("link");
const events = new EventSource(main.dataset.live);
events.onopen = () => { link.textContent = "live"; link.className = ""; };
events.onerror = () => { link.textContent = "the hub doesn't answer, trying again"; link.className = "lost"; };
events.onmessage = (event) => { main.innerHTML = event.data; };
