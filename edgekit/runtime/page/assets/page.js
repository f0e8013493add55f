// Reads status.json once a second and fills the page with it. Texts enter it as text, never as markup.
"use strict";

const POLL_MS = 1000;
const ANSWER_WITHIN_MS = 4000;
const GONE_AFTER_S = 2.5;
const SILENT_AFTER_S = 3; // a camera that still counts as well but sends nothing
const PICTURE_EVERY_MS = 100;
const PICTURES_A_SECOND = 40; // of all cameras together
const EVENTS = 24;
const RETRY_PICTURE_MS = 2000;

const STILL = ["connecting", "stalled", "reconnecting", "frozen", "ended"]; // the picture is of another time than now
const WAITING = ["connecting", "reconnecting"];
const VERBS = { enter: "entered", leave: "left", stay: "stayed in", cross: "crossed" };
const UNSEEN_VERBS = { ...VERBS, enter: "appeared in", leave: "was lost in" }; // not seen to pass the zone's edge

const cards = new Map();
let answeredAt = performance.now();
let page = null; // which version of it the service has
let gone = false;
let eventsShown = "";
let countersShown = "";

const find = (id) => document.getElementById(id);

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show(node, text) {
  write(node, text);
  node.hidden = !text;
}

// Texts

const joined = (text) => text.replaceAll(" ", "\u00a0"); // a number and its unit on one line

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return joined(`${s} s`);
  if (s < 3600) return joined(`${Math.floor(s / 60)} min ${s % 60} s`);
  if (s < 86400) return joined(`${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`);
  return joined(`${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`);
}

function clock(unixSeconds) {
  const at = new Date(unixSeconds * 1000);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const today = at.toDateString() === new Date().toDateString();
  return today ? time : `${at.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const measured = (value, text) => (value === null || value === undefined || value === "" ? null : text(value));
const milliseconds = (value) => 
  value < 10000 ? joined(`${number(value, value < 10 ? 1 : 0)} ms`) : span(value / 1000);

function writeMeasured(node, text) {
  node.classList.toggle("absent", text === null);
  write(node, text === null ? "not measured" : text);
}

// Cameras

function conditionOf(camera, view, reportAge) {
  if (!camera) return { word: view.silent_s === null ? "connecting" : "ok", detail: "", since: null };
  if (camera.condition === "ok" && isSilent(camera, view)) {
    return { word: "stalled", detail: "no picture comes", since: view.silent_s };
  }
  return { word: camera.condition, detail: camera.detail, since: camera.condition_s + reportAge };
}

function isSilent(camera, view) {
  return view.silent_s > Math.max(SILENT_AFTER_S, camera.fps > 0 ? 5 / camera.fps : 0);
}

function colourOf(word) {
  if (word === "ok") return "good";
  return WAITING.includes(word) ? "wait" : "bad";
}

function makeCard(name) {
  const card = { name, root: make("article", "camera"), hasPicture: false, loading: false, inView: true, count: 0 };
  const picture = make("div", "picture");
  card.image = makeImage(card);
  card.next = makeImage(card);
  card.image.hidden = true;
  card.told = make("div", "told");
  card.why = make("p", "why");
  card.since = make("p", "since");
  card.told.append(card.why, card.since);
  picture.append(card.image, card.told);
  const about = make("div", "about");
  const line = make("div", "name");
  card.pill = make("span", "pill");
  line.append(make("h3", "", name || "camera"), card.pill);
  card.source = make("p", "source");
  const figures = make("dl", "figures");
  card.figuresBox = figures;
  card.figures = {};
  for (const [key, title] of [["fps", "FPS"], ["age", "Age"], ["p99", "p99"], ["dropped", "Dropped"], ["objects", "Objects"]]) {
    const box = make("div");
    card.figures[key] = make("dd");
    box.append(make("dt", "", title), card.figures[key]);
    figures.append(box);
  }
  about.append(line, card.source, figures);
  card.root.append(picture, about);
  card.root.dataset.camera = name;
  observer.observe(card.root);
  return card;
}

function makeImage(card) {
  const image = make("img");
  image.alt = `Picture of ${card.name || "the camera"}`;
  image.decoding = "sync";
  image.addEventListener("load", () => pictureCame(card));
  image.addEventListener("error", () => pictureFailed(card));
  return image;
}

const observer = new IntersectionObserver((seen) => {
  for (const one of seen) {
    const card = cards.get(one.target.dataset.camera);
    if (card) {
      card.inView = one.isIntersecting;
      askPicture(card);
    }
  }
}, { rootMargin: "200px" });

function layCameras(views) {
  const names = views.map((view) => view.name);
  if (names.length === cards.size && names.every((name) => cards.has(name))) return;
  for (const card of cards.values()) observer.unobserve(card.root);
  cards.clear();
  for (const name of names) cards.set(name, makeCard(name));
  find("cameras").replaceChildren(...[...cards.values()].map((card) => card.root));
  find("cameras").classList.toggle("one", names.length === 1);
}

function fillCamera(card, camera, view, status) {
  const condition = conditionOf(camera, view, status.report_age_s || 0);
  card.view = view;
  card.fps = camera ? camera.fps : 0;
  write(card.pill, condition.word);
  card.pill.className = `pill ${colourOf(condition.word)}`;
  card.root.classList.toggle("still", STILL.includes(condition.word));
  card.root.dataset.condition = condition.word;
  const well = condition.word === "ok";
  card.told.hidden = well;
  write(card.why, well ? "" : condition.detail || condition.word);
  const since = condition.since === null ? "" : `for ${span(condition.since)}, since ${clock(status.now_unix_s - condition.since)}`;
  write(card.since, well ? "" : since);
  show(card.source, camera ? camera.source : "");
  card.source.title = card.source.textContent;
  card.figuresBox.hidden = !camera;
  if (camera) fillFigures(card.figures, camera, view);
  askPicture(card);
}

function fillFigures(figures, camera, view) {
  const silent = isSilent(camera, view);
  writeMeasured(figures.fps, number(silent ? 0 : camera.fps, 1));
  writeMeasured(figures.age, silent ? null : measured(camera.frame_age_ms, milliseconds));
  writeMeasured(figures.p99, measured(camera.p99_ms, milliseconds));
  writeMeasured(figures.dropped, number(camera.dropped));
  writeMeasured(figures.objects, silent ? null : measured(view.objects, number));
}

// Pictures are asked for one after another, so that a slow way never fills with old ones, and no connection is held.
// Each loads beside the one that is shown and takes its place when it is whole: one that fails takes nothing away.

function askPicture(card) {
  if (card.loading || card.resting || gone || document.hidden || !card.inView) return;
  if (!card.view || card.view.silent_s === null) return;
  if (card.hasPicture && card.view.silent_s > SILENT_AFTER_S) return;
  card.loading = true;
  card.askedAt = performance.now();
  card.next.src = `/streams/${encodeURIComponent(card.name || "_")}.jpg?${card.count++}`;
}

function rest(card, milliseconds) {
  card.loading = false;
  card.resting = true;
  setTimeout(() => { card.resting = false; askPicture(card); }, Math.max(0, milliseconds));
}

function pictureCame(card) {
  card.hasPicture = true;
  card.image.replaceWith(card.next);
  [card.image, card.next] = [card.next, card.image];
  card.next.hidden = false;
  const inView = [...cards.values()].filter((one) => one.inView).length;
  const ofCamera = card.fps > 0 ? Math.min(1000, 1000 / card.fps) : 1000;
  const every = Math.max(PICTURE_EVERY_MS, ofCamera, (inView * 1000) / PICTURES_A_SECOND);
  rest(card, card.askedAt + every - performance.now());
}

function pictureFailed(card) {
  card.hasPicture = false;
  rest(card, RETRY_PICTURE_MS);
}

// Device and engine

function fieldFacts(field) {
  return [
    ["Frames kept", `${number(field.kept)}, ${joined(`${number(field.kept_mib)} MiB`)}`],
    ["Drift", measured(field.drift, (value) => joined(`${number(100 * value)} %`))],
  ];
}

function fillFacts(status) {
  const health = status.health || {};
  const machine = status.machine;
  const gib = (mib) => number(mib / 1024, 1);
  const limit = measured(machine.limit_c, (value) => ` of ${number(value)}`) || "";
  const memory = machine.memory_total_mib === null ? "" : ` of ${gib(machine.memory_total_mib)}`;
  const facts = [
    ["Release", measured(health.release, String)],
    ["Engine", measured(health.engine_id, String)],
    ["Precision", measured(health.precision, (value) => value.toUpperCase())],
    ["Power mode", measured(machine.power_mode, String)],
    [machine.hottest_zone ? `Temperature, ${machine.hottest_zone}` : "Temperature", measured(machine.temperature_c, (value) => joined(`${number(value)}${limit} °C`))],
    [machine.watts_of ? `Power, ${machine.watts_of}` : "Power", measured(machine.watts, (value) => joined(`${number(value, 1)} W`))],
    ["Memory free", measured(machine.memory_available_mib, (value) => joined(`${gib(value)}${memory} GiB`))],
    ["GPU load", measured(machine.gpu_load_pct, (value) => joined(`${number(value)} %`))],
    ["Up for", measured(health.started_unix_s, (value) => span(status.now_unix_s - value))],
    ["Frames", measured(health.frames, number)],
  ];
  if (health.field) facts.push(...fieldFacts(health.field));
  if (machine.throttling.length) facts.push(["Slowed down by", machine.throttling.join(", ")]);
  const list = find("facts");
  list.hidden = !status.health;
  if (list.children.length !== facts.length) {
    list.replaceChildren(...facts.map(() => { const box = make("div"); box.append(make("dt"), make("dd")); return box; }));
  }
  facts.forEach(([title, text], row) => {
    const [name, value] = list.children[row].children;
    write(name, title);
    writeMeasured(value, text);
    value.classList.toggle("bad", title === "Slowed down by");
  });
}

// Events and counters

function eventLine(event) {
  const line = make("li");
  const text = make("span");
  const direction = event.direction ? `, ${event.direction}` : "";
  const dwell = event.dwell_s === null || event.kind === "enter" ? "" : `${event.kind === "leave" ? " after" : " for"} ${span(event.dwell_s)}`;
  const verb = (event.out_of_sight ? UNSEEN_VERBS : VERBS)[event.kind] || event.kind;
  text.append(`${event.class_name} ${event.track_id} ${verb} `, make("b", "", event.place), `${direction}${dwell}`);
  line.append(make("time", "", clock(event.time_unix_s)), text, make("span", "where", event.stream));
  return line;
}

function fillEvents(events) {
  const latest = events.slice(0, EVENTS);
  const key = JSON.stringify(latest) + new Date().toDateString();
  if (key === eventsShown) return;
  eventsShown = key;
  const lines = latest.map(eventLine);
  find("events").replaceChildren(...(lines.length ? lines : [make("li", "absent", "nothing happened yet")]));
}

function table(titles, rows, placeOf, cellsOf) {
  const made = make("table");
  const head = make("tr");
  head.append(...titles.map((title) => make("th", "", title)));
  made.createTHead().append(head);
  const body = made.createTBody();
  let group = null;
  for (const row of rows) {
    const place = placeOf(row);
    if (group === null || group[0] !== place || group[1] !== row.stream) {
      group = [place, row.stream];
      const line = make("tr", "group");
      const cell = make("th", "", place);
      cell.colSpan = titles.length;
      cell.append(make("span", "", row.stream));
      line.append(cell);
      body.append(line);
    }
    const line = make("tr");
    line.append(...cellsOf(row).map((text, column) => make(column ? "td" : "th", "", text)));
    body.append(line);
  }
  return made;
}

function fillCounters(counts) {
  const key = JSON.stringify(counts);
  if (key === countersShown) return;
  countersShown = key;
  const tables = [];
  if (counts.zones.length) {
    tables.push(table(["Zone", "Now", "Entered", "Left", "Stayed"], counts.zones, (row) => row.zone,
      (row) => [row.class_name, number(row.present), number(row.entered), number(row.left), number(row.stayed)]));
  }
  if (counts.lines.length) {
    tables.push(table(["Line", "Direction", "Crossed"], counts.lines, (row) => row.line,
      (row) => [row.class_name, row.direction, number(row.crossed)]));
  }
  find("counters").replaceChildren(...(tables.length ? tables : [make("p", "absent", "nothing counted yet")]));
}

// The whole

function fillState(text, colour) {
  write(find("state"), text);
  find("state").className = `pill ${colour}`;
}

function fillRunning(status) {
  const all = status.streams.length;
  const well = [...cards.values()].filter((card) => card.root.dataset.condition === "ok").length;
  if (well === all) fillState("running", "good");
  else fillState(`${well} of ${all} cameras ok`, "bad");
}

function fillHead(status) {
  const health = status.health;
  write(find("service"), health ? health.service : "edgekit");
  write(find("device"), status.device);
  const title = `${health ? health.service : "edgekit"} on ${status.device}`;
  if (document.title !== title) document.title = title;
  if (!health) fillState("starting", "wait");
  else if (status.alive) fillRunning(status);
  else if (!health.frames && !health.last_error) fillState("starting", "wait");
  else fillState(health.frames ? "not working" : "no frame yet", "bad");
  show(find("why"), health && !status.alive && find("state").className !== "pill wait" ? status.reason : "");
  const warnings = health ? health.warnings : [];
  find("warnings").hidden = !warnings.length;
  if (find("warnings").dataset.shown !== warnings.join("\n")) {
    find("warnings").dataset.shown = warnings.join("\n");
    find("warnings").replaceChildren(...warnings.map((text) => make("li", "", text)));
  }
}

function fill(status) {
  document.body.classList.remove("starting");
  layCameras(status.streams);
  const cameras = new Map((status.health ? status.health.streams : []).map((camera) => [camera.name, camera]));
  for (const view of status.streams) fillCamera(cards.get(view.name), cameras.get(view.name), view, status);
  fillHead(status);
  fillFacts(status);
  find("watched").hidden = !status.follows;
  fillEvents(status.events);
  fillCounters(status.counts);
}

function sayWhetherGone() {
  const silent = (performance.now() - answeredAt) / 1000;
  gone = silent > GONE_AFTER_S;
  document.body.classList.toggle("gone", gone);
  if (gone) fillState(`no answer for ${span(silent)}`, "bad");
}

async function ask() {
  const ending = new AbortController();
  const late = setTimeout(() => ending.abort(), ANSWER_WITHIN_MS);
  try {
    const answer = await fetch("/status.json", { cache: "no-store", signal: ending.signal });
    if (!answer.ok) return;
    const status = await answer.json();
    answeredAt = performance.now();
    if (page !== null && page !== status.page) return location.reload(); // another release came
    page = status.page;
    sayWhetherGone();
    fill(status);
  } catch (error) {
    if (!(error instanceof TypeError || error.name === "AbortError")) throw error; // no answer is told by the clock
  } finally {
    clearTimeout(late);
  }
}

async function poll() {
  const startedAt = performance.now();
  if (!document.hidden) await ask();
  sayWhetherGone();
  setTimeout(poll, Math.max(100, POLL_MS - (performance.now() - startedAt)));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) answeredAt = performance.now(); // what was not asked was not refused
});
poll();
