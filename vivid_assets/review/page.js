"use strict";
// Every text of a row goes in as textContent or as a property: none of it is ever parsed as HTML.
const rows = JSON.parse(document.getElementById("rows").textContent);
const shard = document.body.dataset.shard;
const find = (selector) => document.querySelector(selector);
const canvas = find("#canvas");
const PARTS = ["before", "mask", "edges", "after"];
const images = Object.fromEntries(PARTS.map((part) => [part, find(`.cell.${part} img`)]));

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- flags and accepted pictures: kept by name with the row's key, so that a picture made anew sheds its own
const FLAGS = `vivid-review:${shard}`;
const ACCEPTED = `vivid-accepted:${shard}`;
const flags = new Map();
const accepted = new Map();

// The desk, where there is one, keeps them in the store: for the next person, and on another machine.
const desk = window.vividDesk;

function load(place, found) {
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem(place)) || {}; } catch { /* no storage: they last as long as the page */ }
  const keys = new Map(rows.map((row) => [row.name, row.key]));
  let changed = 0;
  for (const [name, key] of Object.entries(kept)) {
    if (keys.get(name) === key) found.set(name, key); else changed += 1;
  }
  return changed;
}

// What the desk has of a row.
function takeJudgement(row) {
  flags.delete(row.name);
  accepted.delete(row.name);
  if (row.judged) (row.judged === "wrong" ? flags : accepted).set(row.name, row.key);
}

function loadJudgements() {
  if (desk) {
    rows.forEach(takeJudgement);
    return;
  }
  const changed = load(FLAGS, flags);
  load(ACCEPTED, accepted);
  if (changed) notify(`${changed} flag${changed > 1 ? "s" : ""} cleared: made anew or removed since.`);
}

function saveJudgements() {
  find("#flag-count").textContent = flags.size;
  if (desk) return;
  try {
    localStorage.setItem(FLAGS, JSON.stringify(Object.fromEntries(flags)));
    localStorage.setItem(ACCEPTED, JSON.stringify(Object.fromEntries(accepted)));
  } catch { /* as above */ }
}

function toggle(one, other) {
  const row = current();
  if (!row) return;
  if (!one.delete(row.name)) one.set(row.name, row.key);
  other.delete(row.name);
  saveJudgements();
  desk?.judge(row, flags.has(row.name) ? "wrong" : accepted.has(row.name) ? "right" : "", notify);
  markJudged(tiles.get(row), row);
  showJudged(row);
  drawFilters();
}

function markJudged(tile, row) {
  tile?.classList.toggle("flagged", flags.has(row.name));
  tile?.classList.toggle("accepted", accepted.has(row.name));
}

function showJudged(row) {
  find("#flag").setAttribute("aria-pressed", Boolean(row && flags.has(row.name)));
  find("#accept").setAttribute("aria-pressed", Boolean(row && accepted.has(row.name)));
}

const toggleFlag = () => toggle(flags, accepted);
const toggleAccepted = () => toggle(accepted, flags);

let noticeEnds;
function notify(text) {
  const notice = find("#notice");
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(noticeEnds);
  noticeEnds = setTimeout(() => { notice.hidden = true; }, 4000);
}

// ---- filters
const filter = { only: "", verdict: "", tier: "", text: "" };
const ONLY = {
  "": ["All", () => true],
  look: ["Needs review", (row) => row.rank < GOOD],
  flagged: ["Flagged", (row) => flags.has(row.name)],
};
const GOOD = 5;
const RANKS = ["No result", "Mask in doubt", "Halo", "Preset's rules", "A tier was missing", "Good"];

const passes = (row, besides = "") =>
  (besides === "only" || ONLY[filter.only][1](row))
  && (besides === "verdict" || !filter.verdict || row.verdict === filter.verdict)
  && (besides === "tier" || !filter.tier || row.tier === filter.tier)
  && row.name.toLowerCase().includes(filter.text);

const values = (column) => [...new Set(rows.map((row) => row[column]).filter(Boolean))].sort();

function drawFilters() {
  const chip = (group, value, label) => {
    const test = group === "only" ? ONLY[value][1] : (row) => row[group] === value;
    const count = rows.filter((row) => passes(row, group) && test(row)).length;
    const button = make("button", { type: "button" }, label, " ", make("b", { textContent: count }));
    button.dataset.group = group;
    button.dataset.value = value;
    button.setAttribute("aria-pressed", filter[group] === value);
    button.onclick = () => setFilter(group, filter[group] === value ? "" : value);
    return button;
  };
  find("#filters").replaceChildren(
    make("div", {}, ...Object.entries(ONLY).map(([value, [label]]) => chip("only", value, label))),
    make("div", { ariaLabel: "Verdict" }, ...values("verdict").map((value) => chip("verdict", value, value.replaceAll("_", " ")))),
    make("div", { ariaLabel: "Tier" }, ...values("tier").map((value) => chip("tier", value, value))),
  );
}

function setFilter(group, value) {
  filter[group] = value;
  const row = current();
  shown = rows.filter((candidate) => passes(candidate));
  drawFilters();
  drawStrip();
  show(Math.max(0, shown.indexOf(row)));
}

function cycle(column) {
  const choices = ["", ...values(column)];
  setFilter(column, choices[(choices.indexOf(filter[column]) + 1) % choices.length]);
}

// ---- the strip of tiles; a tile's picture is decoded only when it comes near the view
let shown = rows;
let at = 0;
const tiles = new Map();
const current = () => shown[at];
const nearView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.src = target.row.after || target.row.before;
    nearView.unobserve(target);
  }
}, { root: find("#strip"), rootMargin: "400px" });

function drawStrip() {
  tiles.clear();
  nearView.disconnect();
  const parts = [];
  for (const [index, row] of shown.entries()) {
    if (index === 0 || shown[index - 1].rank !== row.rank) {
      const count = shown.filter((other) => other.rank === row.rank).length;
      parts.push(make("h3", { textContent: `${RANKS[row.rank]} · ${count}` }));
    }
    const tile = make("div", { className: "tile", title: row.name, onclick: () => show(index) });
    tile.setAttribute("role", "option");
    tile.classList.toggle("look", row.rank < GOOD);
    tile.classList.toggle("failed", row.rank === 0);
    markJudged(tile, row);
    if (row.after || row.before) {
      const picture = make("img", { alt: "", decoding: "async", row });
      nearView.observe(picture);
      tile.append(picture, make("i"));
    } else {
      tile.append(make("span", { textContent: row.name }), make("i"));
    }
    tiles.set(row, tile);
    parts.push(tile);
  }
  find("#strip").replaceChildren(...parts);
}

// ---- the picture
function show(index) {
  find("#strip [aria-selected=true]")?.setAttribute("aria-selected", "false");
  at = Math.min(Math.max(index, 0), Math.max(shown.length - 1, 0));
  const row = current();
  find("#position").textContent = row ? `${at + 1} of ${shown.length}` : "none";
  for (const part of PARTS) {
    if (row?.[part]) images[part].src = row[part]; else images[part].removeAttribute("src");
    images[part].hidden = !row?.[part];
  }
  const nothing = find("#nothing");
  nothing.hidden = Boolean(row?.after);
  nothing.textContent = row ? row.why[0] || "There is no composite." : "No picture passes the filters.";
  const overTime = row?.frames ? "Over time" : "Edge";
  canvas.classList.toggle("clip", Boolean(row?.frames));
  find("#views [data-view=edges]").firstChild.textContent = `${overTime} `;
  find(".cell.edges figcaption").textContent = row?.frames ? "frames and masks; below: flicker" : "edge: red is unsure";
  resetZoom();
  describe(row);
  if (!row) return;
  const tile = tiles.get(row);
  tile.setAttribute("aria-selected", "true");
  tile.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", `#${encodeURIComponent(row.name)}`);
}

function describe(row) {
  find("#name").textContent = row?.name ?? "";
  showJudged(row);
  find("#why").replaceChildren(...(row ? reasons(row) : []));
  const facts = row ? [
    ["mask by", row.tier], ["verdict", row.verdict?.replaceAll("_", " ")], ["because", row.reason],
    ["mask right", percent(row.right)], ["edge right", percent(row.edge_right)], ["background", row.generator], ["prompt", row.prompt], ["size", row.size],
    ["frames", row.frames && `${row.frames}, ${row.flagged_frames ?? "none"} flagged`], ["flicker", row.frames && percent(row.flicker, 1)],
    ["own mask", row.override],
  ] : [];
  find("#facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([label, value]) =>
    [make("dt", { textContent: label }), make("dd", { textContent: value })]));
  find("#full").hidden = !row?.href;
  desk?.show(row, images, notify);
  if (row?.href) find("#full").href = row.href; else find("#full").removeAttribute("href");
}

const percent = (share, digits = 0) => (share === null ? "" : `${(100 * share).toFixed(digits)} %`);

function reasons(row) {
  if (!row.why.length) return [make("li", { className: "fine", textContent: "Nothing speaks against it." })];
  return row.why.map((sentence) => make("li", { className: row.rank === 0 ? "failed" : "", textContent: sentence }));
}

// ---- at the desk: a row that has been made again; what is shown of the others stays as it is
const order = (row) => [row.rank, row.right ?? 1, row.name];

function renewed(row) {
  const before = current();
  takeJudgement(row);
  saveJudgements();
  rows.sort((one, other) => {
    const [a, b] = [order(one), order(other)];
    const place = a.findIndex((value, index) => value !== b[index]);
    return place < 0 ? 0 : a[place] < b[place] ? -1 : 1;
  });
  shown = rows.filter((candidate) => passes(candidate));
  drawFilters();
  drawStrip();
  if (row === before || !shown.includes(before)) { show(shown.includes(row) ? shown.indexOf(row) : at); return; }
  at = shown.indexOf(before);
  find("#position").textContent = `${at + 1} of ${shown.length}`;
  tiles.get(before).setAttribute("aria-selected", "true");
}

function rejudged(row) {
  takeJudgement(row);
  saveJudgements();
  markJudged(tiles.get(row), row);
  if (row === current()) showJudged(row);
  drawFilters();
}

desk?.whenRenewed(renewed, (picture) => rows.filter((row) => row.picture === picture));
desk?.whenRejudged(rejudged);

// ---- slider, zoom and pan: both sides move together
const ZOOMS = [1, 2, 4, 8];
let zoom = 1;
let pan = [0, 0];

function setView(view) {
  canvas.dataset.view = view;
  for (const button of document.querySelectorAll("#views button")) {
    button.setAttribute("aria-pressed", button.dataset.view === view);
  }
  resetZoom();
}

function setWipe(percent) {
  const value = Math.min(100, Math.max(0, percent));
  find("#wipe").value = value;
  canvas.style.setProperty("--wipe", `${value}%`);
}

function resetZoom() { zoomTo(1, 0, 0); }

function zoomTo(level, x, y) {
  const factor = level / zoom;
  pan = level === 1 ? [0, 0] : [x - (x - pan[0]) * factor, y - (y - pan[1]) * factor];
  zoom = level;
  place();
}

function place() {
  for (const image of Object.values(images)) {
    image.style.transform = `translate(${pan[0]}px, ${pan[1]}px) scale(${zoom})`;
  }
  canvas.classList.toggle("zoomed", zoom > 1);
  find("#zoom b").textContent = `${zoom}×`;
}

function cell() { return images.before.parentElement.getBoundingClientRect(); }

function cycleZoom() {
  const { width, height } = cell();
  zoomTo(ZOOMS[(ZOOMS.indexOf(zoom) + 1) % ZOOMS.length], width / 2, height / 2);
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const level = ZOOMS[ZOOMS.indexOf(zoom) + (event.deltaY < 0 ? 1 : -1)];
  const { width } = cell();
  const box = canvas.getBoundingClientRect();
  if (level) zoomTo(level, (event.clientX - box.left) % width, event.clientY - box.top);
}, { passive: false });

canvas.addEventListener("pointerdown", (event) => {
  const box = canvas.getBoundingClientRect();
  const wiping = zoom === 1 && canvas.dataset.view !== "three";
  const start = [event.clientX - pan[0], event.clientY - pan[1]];
  const move = ({ clientX, clientY }) => {
    if (wiping) setWipe((100 * (clientX - box.left)) / box.width);
    else if (zoom > 1) { pan = [clientX - start[0], clientY - start[1]]; place(); }
  };
  canvas.setPointerCapture(event.pointerId);
  canvas.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => canvas.removeEventListener("pointermove", move), { once: true });
  }
  move(event);
});
canvas.addEventListener("dblclick", (event) => {
  const box = canvas.getBoundingClientRect();
  if (zoom > 1) resetZoom(); else zoomTo(2, (event.clientX - box.left) % cell().width, event.clientY - box.top);
});

// ---- the list of flags
const flaggedRows = () => rows.filter((row) => flags.has(row.name));

function openList() {
  const chosen = flaggedRows();
  find("#flagged").replaceChildren(...chosen.map((row) => make("tr", {},
    make("td", { textContent: row.name }), make("td", { textContent: row.override }))));
  find("#names").value = chosen.map((row) => row.name).join("\n");
  find("#list").showModal();
}

function saveCsv() {
  const quote = (text) => `"${String(text ?? "").replaceAll('"', '""')}"`;
  // A spreadsheet would run a name that begins like a formula; ./ before it names the same file.
  const path = (name) => (/^[=+\-@\t]/.test(name) ? `./${name}` : name);
  const judged = [...flaggedRows().map((row) => [row, "wrong"]),
    ...rows.filter((row) => accepted.has(row.name)).map((row) => [row, "right"])];
  const lines = judged.map(([row, judgement]) =>
    [path(row.picture), judgement, row.right, row.outcome, row.verdict, row.tier, row.override].map(quote).join(","));
  const text = ["picture,judgement,right,outcome,verdict,tier,override_mask", ...lines, ""].join("\r\n");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${shard}-judged.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function copyNames() {
  find("#names").select();
  // The older call works on pages opened from a disk too.
  notify(document.execCommand("copy") ? "Copied." : "Select the names and copy them.");
}

function clearJudgements() {
  const judged = rows.filter((row) => flags.has(row.name) || accepted.has(row.name));
  if (desk) for (const row of judged) desk.judge(row, "", notify);
  flags.clear();
  accepted.clear();
  saveJudgements();
  find("#list").close();
  setFilter("only", filter.only);
}

// ---- keyboard and buttons
const KEYS = {
  ArrowRight: () => show(at + 1), ArrowDown: () => show(at + 1), j: () => show(at + 1), " ": () => show(at + 1),
  ArrowLeft: () => show(at - 1), ArrowUp: () => show(at - 1), k: () => show(at - 1),
  Home: () => show(0), End: () => show(shown.length - 1),
  f: toggleFlag, a: toggleAccepted, z: cycleZoom, x: openList, v: () => cycle("verdict"), t: () => cycle("tier"),
  l: () => setFilter("only", filter.only === "look" ? "" : "look"),
  1: () => setView("after"), 2: () => setView("mask"), 3: () => setView("three"), 4: () => setView("edges"),
  o: () => find("#full").href && find("#full").click(), d: () => desk?.draw(), m: () => desk?.ask(), "/": () => find("#search").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
  if (event.target === find("#search")) {
    if (event.key === "Escape" || event.key === "Enter") find("#search").blur();
    return;
  }
  if (event.target.closest("#desk input")) return;
  if (event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    setWipe(Number(find("#wipe").value) + (event.key === "ArrowRight" ? 5 : -5));
  } else {
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    action();
  }
  event.preventDefault();
});

find("#search").oninput = (event) => { filter.text = event.target.value.toLowerCase(); setFilter("only", filter.only); };
find("#wipe").oninput = (event) => setWipe(Number(event.target.value));
find("#zoom").onclick = cycleZoom;
find("#flag").onclick = toggleFlag;
find("#accept").onclick = toggleAccepted;
find("#open-list").onclick = openList;
find("#copy").onclick = copyNames;
find("#csv").onclick = saveCsv;
find("#clear").onclick = clearJudgements;
find("#close").onclick = () => find("#list").close();
for (const button of document.querySelectorAll("#views button")) button.onclick = () => setView(button.dataset.view);

loadJudgements();
saveJudgements();
setView("after");
setWipe(50);
drawFilters();
drawStrip();
let wanted = "";
try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { /* a hash of another's making */ }
show(Math.max(0, rows.findIndex((row) => row.name === wanted)));
