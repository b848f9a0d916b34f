// News from the server as they come: the mark is judged anew, and a page that shows the present is fetched again and
// morphed into place. Without this script pages say the same, as of when they were loaded.

const WORDS = { fresh: "up to date", behind: "catching up", stale: "stale", empty: "empty", unknown: "unknown" };
const REFRESH_AT_MOST_EVERY_MS = 2000;
const SILENT_MS = 20000; // the server says something every five seconds

const live = document.body.dataset.live === "yes";
let source = null;
let silence = 0;
let refreshing = 0;

function connect() {
  source?.close();
  source = new EventSource(document.body.dataset.events);
  source.addEventListener("mark", (event) => {
    showMark(JSON.parse(event.data));
    if (live && document.querySelector("[data-each-mark]")) refreshSoon(); // where more than steps changes
  });
  for (const name of ["step", "rollback", "alert"]) {
    source.addEventListener(name, (event) => announce(name, JSON.parse(event.data)));
  }
  source.onerror = () => expectNews();
  expectNews();
}

function expectNews() {
  clearTimeout(silence);
  silence = setTimeout(() => {
    showMark({ state: "unknown", reasons: ["no word from the server: what is shown may be old"], mark: null });
  }, SILENT_MS);
}

function showMark(said) {
  if (said.state !== "unknown" || said.at) expectNews();
  const old = document.getElementById("mark");
  const mark = old.cloneNode(true); // a new node: its clock in the style sheet begins again
  mark.dataset.state = said.state;
  mark.querySelector(".now").textContent = WORDS[said.state] ?? said.state;
  mark.querySelector(".why").textContent = said.reasons.join("; ");
  if (said.mark) {
    const at = (number) => number.toLocaleString("en");
    mark.querySelector(".where").textContent =
      `step ${at(said.mark.step)} · height ${at(said.mark.height)} of ${at(said.mark.tip_height)}`;
  }
  if (said.at) mark.querySelector(".at").textContent = `checked ${said.at.slice(0, 19).replace("T", " ")} UTC`;
  if (old.dataset.state !== said.state) say(`Data: ${WORDS[said.state]}. ${said.reasons.join("; ")}`);
  old.replaceWith(mark);
}

function announce(name, said) {
  document.body.dispatchEvent(new CustomEvent(`cw-${name}`, { detail: said, bubbles: true }));
  if (name === "rollback") say(`The chain was rolled back to height ${said.height}.`);
  if (name === "alert") say(`${said.severity} alert ${said.what}: ${said.rule}.`);
  if (live) refreshSoon();
}

function say(text) {
  const place = document.getElementById("news");
  if (place) place.textContent = text;
}

function refreshSoon() {
  if (refreshing || !window.htmx) return;
  refreshing = setTimeout(async () => {
    try {
      if (document.querySelector("main[data-still], main :focus:is(input, textarea, select)")) return; // somebody writes
      const before = document.activeElement?.id;
      await window.htmx.ajax("GET", location.href, { target: "#main", select: "#main", swap: "outerMorph" });
      document.body.dispatchEvent(new CustomEvent("cw-refreshed"));
      if (before && document.activeElement === document.body) document.getElementById(before)?.focus();
    } finally {
      refreshing = 0;
    }
  }, REFRESH_AT_MOST_EVERY_MS);
}

// A browser opens six connections to a server: a page that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    clearTimeout(silence);
  } else {
    connect();
    if (live) refreshSoon();
  }
});
if (!document.hidden) connect();
