// Asks again until the page is made, then shows it. Without this script a link does.

const EVERY_MS = 1500;
const MAKING = 202;

async function look() {
  if (!document.getElementById("waiting")) return; // live.js was sooner
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.status !== MAKING) {
      location.reload();
      return;
    }
  } catch {
    // The server is away: it may come back.
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
