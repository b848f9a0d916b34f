// The matrix of checks says what the pointer is on, and lets a click anywhere in a column open that reading.

function about(cell) {
  const row = cell?.closest("tbody tr");
  const sentence = row?.querySelector("th[scope=row]");
  if (!row || !sentence || cell.tagName !== "TD" || cell.classList.contains("sum")) return null;
  const column = [...row.cells].indexOf(cell) - 2;
  const head = document.querySelectorAll("#matrix thead tr:last-child th[class] a")[column];
  return head ? { sentence: sentence.textContent, head, column } : null;
}

function show(cell) {
  const said = document.getElementById("matrix-said");
  const found = about(cell);
  if (!said || !found) return;
  const link = cell.querySelector("a");
  const result = link ? link.title.replace(/^[^:]*: /, "") : "passed";
  said.textContent = `${found.head.title.split(" UTC")[0]} UTC. ${found.sentence}: ${result}`;
  document.querySelectorAll("#matrix .lit").forEach((lit) => lit.classList.remove("lit"));
  found.head.parentElement.classList.add("lit");
}

document.addEventListener("mouseover", (event) => {
  const cell = event.target.closest?.("#matrix td");
  if (cell) show(cell);
});
document.addEventListener("focusin", (event) => {
  const cell = event.target.closest?.("#matrix td");
  if (cell) show(cell);
});
document.addEventListener("click", (event) => {
  const cell = event.target.closest?.("#matrix td");
  const found = cell && !event.target.closest("a") ? about(cell) : null;
  if (found) location.href = found.head.href;
});
// The newest readings are what is asked about first: where not all fit, they are what is seen.
function toTheNewest() {
  const box = document.querySelector(".matrix-scroll");
  if (box) box.scrollLeft = box.scrollWidth;
}
toTheNewest();
