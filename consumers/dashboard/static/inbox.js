// The inbox by keyboard. Each key does what a link or a button on the page does too; `?` lists them.

let shown = location.search;
const rows = () => [...document.querySelectorAll("#inbox tbody a")];
const help = () => document.getElementById("help");

function current() {
  const all = rows();
  const focused = all.indexOf(document.activeElement);
  return focused >= 0 ? focused : all.findIndex((row) => row.getAttribute("aria-current"));
}

function move(by) {
  const all = rows();
  if (!all.length) return;
  const next = Math.min(all.length - 1, Math.max(0, current() + by));
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

// The evidence is fetched and put beside the list, which stays where it is.
async function open(link) {
  const answer = await fetch(link.href).catch(() => null);
  if (!answer?.ok) {
    location.href = link.href;
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const evidence = page.getElementById("evidence");
  if (!evidence) {
    location.href = link.href;
    return;
  }
  document.getElementById("evidence").replaceWith(document.adoptNode(evidence));
  history.pushState(null, "", link.href);
  shown = location.search;
  for (const row of rows()) {
    const chosen = row === link;
    row.toggleAttribute("aria-current", chosen);
    if (chosen) row.setAttribute("aria-current", "true");
    row.closest("tr").classList.toggle("chosen", chosen);
  }
  if (matchMedia("(max-width: 60rem)").matches) {
    evidence.scrollIntoView();
    evidence.focus();
  }
}

let meant = "ack";
function act(name) {
  const why = document.getElementById("why");
  if (!why) return;
  meant = name;
  why.focus();
  why.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#inbox tbody a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    open(link);
  }
  if (event.target.closest?.("#help-open")) help().showModal();
});

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest?.("input, textarea, select");
  if (event.key === "Enter" && event.ctrlKey && event.target.id === "why") {
    document.getElementById(`do-${meant}`).click();
    return;
  }
  if (event.key === "Escape" && writing) {
    (rows()[Math.max(0, current())] ?? document.getElementById("main")).focus();
    return;
  }
  if (writing || event.ctrlKey || event.metaKey || event.altKey || help().open) return;
  const tabs = document.querySelectorAll(".tabs a");
  const does = {
    j: () => move(1), ArrowDown: () => document.activeElement.closest("#inbox") && move(1),
    k: () => move(-1), ArrowUp: () => document.activeElement.closest("#inbox") && move(-1),
    b: () => document.querySelector("#evidence dl a")?.click(),
    a: () => act("ack"), n: () => act("note"), c: () => act("close"),
    "/": () => document.getElementById("filter-q").focus(),
    "?": () => help().showModal(),
    Escape: () => rows()[Math.max(0, current())]?.focus(),
    ...Object.fromEntries([...tabs].map((tab, number) => [String(number + 1), () => tab.click()])),
  }[event.key];
  if (does) {
    if (does() !== false) event.preventDefault();
  }
});

// Going back shows the alert before; a jump within the page is no going back.
addEventListener("popstate", () => location.search !== shown && location.reload());
