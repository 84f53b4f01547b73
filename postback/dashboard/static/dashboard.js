// What the pages do beyond working: the theme, times that go on, copying, and live parts. Loaded in the head, so that
// the theme is set before anything is drawn; the rest begins when the page is there.
"use strict";

const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private mode: for this page */ } };

// -- Theme ------------------------------------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.querySelector("[data-label]").textContent = theme;
}

setTheme(THEMES.includes(kept("theme")) ? kept("theme") : "auto");

function startTheme() {
  const button = document.getElementById("theme");
  button.hidden = false;
  setTheme(document.documentElement.dataset.theme);
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    keep("theme", next);
    setTheme(next);
  });
}

// -- Times ------------------------------------------------------------------------------------------------------------

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function distance(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return "just now";
  const [unit, name] = UNITS.find(([unit]) => size >= unit);
  const text = `${Math.floor(size / unit)} ${name}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function duration(seconds) {
  const place = UNITS.findIndex(([unit]) => seconds >= unit);
  const [unit, name] = UNITS[place];
  const [smaller, second] = UNITS[place + 1] ?? [1, ""];
  const rest = second ? Math.floor((seconds % unit) / smaller) : 0;
  return `${Math.floor(seconds / unit)} ${name}${rest ? ` ${rest} ${second}` : ""}`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    write(time, distance((Date.now() - Date.parse(time.dateTime)) / 1000));
  }
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    const left = Math.floor((Date.parse(time.dateTime) - Date.now()) / 1000);
    write(time, left >= 1 ? `in ${duration(left)}` : "due now");
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// -- Copying ----------------------------------------------------------------------------------------------------------

const announce = (text) => { document.getElementById("announcer").textContent = text; };

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch { // over plain HTTP there is no clipboard to write to
    const area = document.createElement("textarea");
    area.value = button.dataset.copy;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
  announce("Copied.");
}

const showCopies = () => { for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false; };

// -- What was refused --------------------------------------------------------------------------------------------------

// Says it where it is seen, wherever the page is scrolled to, until something works again or it is closed.
function complain(text) {
  const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Close" });
  const note = Object.assign(document.createElement("div"), { className: "note bad" });
  close.addEventListener("click", () => note.remove());
  note.setAttribute("role", "alert");
  note.append(Object.assign(document.createElement("p"), { textContent: text }), close);
  document.getElementById("trouble").replaceChildren(note);
}

// The words of the problem document that says what is wrong; a proxy's answer may be anything.
function wordsOf(request) {
  try {
    const { title, detail } = JSON.parse(request.responseText);
    return [title, detail].filter(Boolean).join(": ") || `The server answered ${request.status}.`;
  } catch {
    return `The server answered ${request.status}.`;
  }
}

function refused(event) {
  const gone = event.detail.elt.matches("[data-live]") ? "This page cannot be drawn again. " : "";
  complain(gone + wordsOf(event.detail.xhr));
}

function unsent(event) {
  // A live part asks again by itself, and the button beside it says that nothing is connected.
  if (!event.detail.elt.matches("[data-live]")) complain("The server cannot be reached. Nothing is known to have been done.");
}

function answered(event) {
  if (event.detail.successful) document.getElementById("trouble").replaceChildren();
}

function startComplaints() {
  document.body.addEventListener("htmx:responseError", refused);
  document.body.addEventListener("htmx:sendError", unsent);
  document.body.addEventListener("htmx:afterRequest", answered);
}

// -- Live parts -------------------------------------------------------------------------------------------------------

// What a part said when the server last drew it, without what changes by itself.
const drawn = new Map();
const refreshed = new Map();
let source = null;
let paused = kept("paused") === "1";
let timer = null;

const parts = () => [...document.querySelectorAll("[data-live]")];

function essence(part) {
  const clone = part.cloneNode(true);
  for (const time of clone.querySelectorAll("time")) time.textContent = "";
  for (const details of clone.querySelectorAll("details")) details.removeAttribute("open");
  for (const button of clone.querySelectorAll("[data-copy]")) button.removeAttribute("hidden");
  return clone.innerHTML;
}

// Whoever fills in, confirms or selects something there must not have it taken away.
function inUse(part) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  const typing = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  return selecting || typing || part.querySelector("details.confirm[open]") !== null;
}

function refresh() {
  timer = null;
  const now = performance.now();
  let soonest = Infinity;
  for (const part of parts()) {
    const wait = inUse(part) ? 1000 : (refreshed.get(part.id) ?? -Infinity) + 1000 * Number(part.dataset.live) - now;
    if (wait > 0) {
      soonest = Math.min(soonest, wait);
    } else {
      refreshed.set(part.id, now);
      htmx.trigger(part, "changed");
    }
  }
  if (soonest < Infinity) plan(soonest);
}

function plan(milliseconds) {
  timer ??= setTimeout(refresh, milliseconds);
}

// What was just done is said long enough to be read; it does not stand there when things have gone on.
const SAID_MS = 5000;

function forgetSaid() {
  const said = document.querySelector("main > .said");
  if (said) setTimeout(() => said.remove(), Math.max(0, SAID_MS - performance.now()));
}

function beforeSwap(event) {
  const part = event.detail.target;
  if (!part.matches("[data-live]") || !event.detail.shouldSwap) return;
  const page = new DOMParser().parseFromString(event.detail.serverResponse, "text/html");
  const fresh = page.getElementById(part.id);
  if (fresh === null || paused || inUse(part) || essence(fresh) === drawn.get(part.id)) {
    event.detail.shouldSwap = false;
    if (fresh !== null && !paused && inUse(part)) plan(1000);
    return;
  }
  drawn.set(part.id, essence(fresh));
  forgetSaid();
  for (const details of part.querySelectorAll("details[open][id]")) {
    page.getElementById(details.id)?.setAttribute("open", "");
  }
  const link = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  event.detail.serverResponse = fresh.outerHTML;
  if (link !== null) {
    document.addEventListener("htmx:afterSettle", () => {
      document.getElementById(part.id)?.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
    }, { once: true });
  }
}

function connect() {
  const wanted = !paused && !document.hidden && parts().length > 0;
  if (wanted && source === null) {
    source = new EventSource("/live");
    source.addEventListener("changed", () => plan(0));
    source.addEventListener("open", showState);
    source.addEventListener("error", showState);
  } else if (!wanted && source !== null) {
    source.close();
    source = null;
    clearTimeout(timer);
    timer = null;
  }
  showState();
}

function showState() {
  const button = document.getElementById("pause");
  const state = paused ? "paused" : source?.readyState === EventSource.OPEN ? "live" : "connecting";
  if (button.dataset.state === state) return;
  button.dataset.state = state;
  button.setAttribute("aria-pressed", String(paused));
  button.title = { live: "Updates as things happen", paused: "Updates are paused", connecting: "Connecting" }[state];
}

function startLive() {
  for (const part of parts()) drawn.set(part.id, essence(part));
  const button = document.getElementById("pause");
  button.hidden = parts().length === 0;
  button.addEventListener("click", () => {
    paused = !paused;
    keep("paused", paused ? "1" : "0");
    // Here and not when the connection opens: that comes at any moment, and would wipe out what was just said.
    announce(paused ? "Updates are paused." : "Live updates.");
    connect();
  });
  document.addEventListener("visibilitychange", connect);
  document.body.addEventListener("htmx:beforeSwap", beforeSwap);
  document.body.addEventListener("htmx:load", () => { showCopies(); tick(); });
  // A page that is left must not keep one of the few connections that a browser allows.
  window.addEventListener("pagehide", () => { source?.close(); source = null; });
  window.addEventListener("pageshow", connect);
}

document.addEventListener("DOMContentLoaded", () => {
  startTheme();
  startComplaints();
  startLive();
  showCopies();
  tick();
  setInterval(tick, 1000);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest("details.menu[open], details.confirm[open]") ?? document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
});
