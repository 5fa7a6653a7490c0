"use strict";
/* Fills an answer's details when they are opened, from the data inside the page. Everything is set as text. */
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 680, HEIGHT = 150, LEFT = 56, BOTTOM = 18, TOP = 8;

async function unpack() {
  const raw = Uint8Array.from(atob(document.getElementById("answers").textContent.trim()), c => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function add(parent, name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  parent.append(made);
  return made;
}

function draw(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function checks(parent, rows) {
  const table = add(add(parent, "div", undefined, "scroll"), "table");
  const head = add(add(table, "thead"), "tr");
  for (const [title, kind] of [["check"], ["status"], ["measured", "n"], ["required", "n"], ["unit"], ["source"], ["why"]])
    add(head, "th", title, kind);
  const body = add(table, "tbody");
  for (const [name, status, measured, required, unit, source, why, decisive] of rows) {
    const row = add(body, "tr", undefined, decisive ? "decisive" : "");
    add(row, "td", name);
    add(row, "td", status.replace("_", " "), "status-" + status);
    add(row, "td", measured, "n");
    add(row, "td", required, "n");
    add(row, "td", unit);
    add(row, "td", source);
    add(row, "td", why, "why");
  }
}

function chart(parent, title, lines, log) {
  const values = lines.flatMap(([, points]) => points.map(p => p[1])).filter(v => v !== null && (!log || v > 0));
  if (!values.length) return;
  const place = log ? Math.log2 : (v => v);
  let low = place(Math.min(...values)), high = place(Math.max(...values));
  if (low === high) { low -= 0.5; high += 0.5; }
  const last = Math.max(1, ...lines.flatMap(([, points]) => points.map(p => p[0])));
  const x = step => LEFT + (WIDTH - LEFT - 8) * step / last;
  const y = value => TOP + (HEIGHT - TOP - BOTTOM) * (high - place(value)) / (high - low);
  const figure = add(parent, "figure");
  const caption = add(figure, "figcaption", title + ": ");
  const svg = draw(figure, "svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title});
  for (const at of [low, (low + high) / 2, high]) {
    const value = log ? 2 ** at : at;
    draw(svg, "line", {class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value)});
    draw(svg, "text", {class: "tick", x: LEFT - 6, y: y(value) + 3, "text-anchor": "end"}, Number(value.toPrecision(log ? 5 : 3)));
  }
  draw(svg, "text", {class: "tick", x: WIDTH - 8, y: HEIGHT - 4, "text-anchor": "end"}, `step ${last}`);
  for (const [name, points] of lines) {
    let path = "", pen = "M";
    for (const [step, value] of points) {
      if (value === null || (log && value <= 0)) { pen = "M"; continue; }
      path += `${pen}${x(step).toFixed(1)} ${y(value).toFixed(1)}${pen === "M" ? "h0" : ""}`; // h0: a lone point shows, too
      pen = "L";
    }
    draw(svg, "path", {class: "curve " + name, d: path || "M0 0"});
    add(caption, "span", name + " ", "key " + name);
  }
}

function curves(parent, answer, all) {
  const named = ["reference", "broken", "answer"].filter(name => name in answer.curves);
  const lines = what => named.map(name => [name, all[answer.curves[name]][what]]).filter(([, points]) => points.length);
  const loss = lines("loss");
  const positive = loss.every(([, points]) => points.every(p => p[1] === null || p[1] > 0));
  chart(parent, "training loss by step, first seed, as the loops told it" + (positive ? ", log scale" : ""), loss, positive);
  chart(parent, "loss scale by step", lines("scale"), true);
}

function diff(parent, text) {
  const pre = add(parent, "pre");
  for (const line of text.split("\n"))
    add(pre, "span", line + "\n", line[0] === "+" ? "add" : line[0] === "-" ? "del" : "");
}

function fill(details, data) {
  const answer = data.answers[Number(details.dataset.answer)], body = add(details, "div");
  if (answer.detail) add(body, "p", answer.detail);
  for (const line of answer.taken) add(body, "p", "taken: " + line, "soft");
  if (answer.checks.length) checks(body, answer.checks);
  const losses = Object.entries(answer.losses).map(([name, value]) => `${name} ${value}`).join(", ");
  if (losses) add(body, "p", "held-out loss (fp32, lower is better): " + losses, "soft");
  curves(body, answer, data.curves);
  if (answer.diagnosis) add(body, "p", answer.diagnosis, "soft");
  if (answer.diff) diff(body, answer.diff);
  if (answer.output) add(body, "pre", answer.output);
}

const unpacked = unpack();
for (const details of document.querySelectorAll("details[data-answer]"))
  details.addEventListener("toggle", async () => {
    if (!details.open || details.dataset.filled) return;
    details.dataset.filled = "yes";
    fill(details, await unpacked);
  });
if (location.hash.startsWith("#answer-")) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
