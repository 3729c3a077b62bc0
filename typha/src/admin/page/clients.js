// The table of clients: thousands are held, sorted and filtered; only one page of them is in the document.

import { showRow } from "./row.js";
import { count, counted, write } from "./text.js";

// A page is short enough to be drawn anew every second, and long enough to be read.
const ROWS = 100;

const table = {
  // What /clients said last, by node.
  clients: [],
  // The revision that all should have applied.
  revision: 0,
  column: "behind",
  descending: true,
  filter: "",
  only: "all",
  // Counted from 0.
  page: 0,
};

const names = new Intl.Collator("en", { numeric: true });
const number = (value) => (a, b) => compareNumbers(value(a), value(b));
const text = (value) => (a, b) => names.compare(value(a), value(b));

const failures = number((client) => client.failures.length);

// How each column orders clients, and whether its interesting end is the high one.
const COLUMNS = {
  node: { compare: text((client) => client.node), descending: false },
  // Of those equally far, the ones that failed at something come first.
  behind: { compare: (a, b) => number(behind)(a, b) || failures(a, b), descending: true },
  applied: { compare: number((client) => client.applied_revision ?? -1), descending: false },
  "applied-at": { compare: number((client) => client.applied_at_unix_ms ?? -1), descending: false },
  position: { compare: number((client) => client.position_revision), descending: false },
  address: { compare: text((client) => client.address), descending: false },
  version: { compare: text((client) => client.version), descending: false },
  failures: { compare: failures, descending: true },
};

const element = (id) => document.getElementById(id);

// The rows in the document, by node, so that an opened list of failures stays with its node.
let rows = new Map();

/** Shows an answer of /clients, when `revision` is what all should have applied. */
export function showClients(clients, revision) {
  table.clients = clients;
  table.revision = revision;
  show();
}

// A node that never reported may enforce anything, so it is behind more than any other.
function behind(client) {
  return client.applied_revision === null ? Infinity : Math.max(table.revision - client.applied_revision, 0);
}

// Two infinities are equal, and their difference is no number.
function compareNumbers(a, b) {
  return a === b ? 0 : a - b;
}

function isChosen(client) {
  const kept = table.only === "all" || (table.only === "behind" ? behind(client) > 0 : client.failures.length > 0);
  if (!kept || table.filter === "") {
    return kept;
  }
  const texts = [client.node, client.address, client.version];
  const failures = client.failures.flatMap(({ object, reason }) => [object, reason]);
  return texts.concat(failures).some((text) => text.toLowerCase().includes(table.filter));
}

function show() {
  const chosen = table.clients.filter(isChosen);
  const { compare } = COLUMNS[table.column];
  // Sorting is stable: equal ones stay in the order of their nodes.
  chosen.sort(table.descending ? (a, b) => compare(b, a) : compare);
  table.page = Math.min(table.page, Math.max(Math.ceil(chosen.length / ROWS) - 1, 0));
  const first = table.page * ROWS;
  const shown = chosen.slice(first, first + ROWS);
  showRows(shown);
  showPlace(chosen.length, first, shown.length);
}

function showRows(shown) {
  const body = element("rows");
  const next = new Map();
  for (const client of shown) {
    const row = rows.get(client.node) ?? element("row").content.firstElementChild.cloneNode(true);
    showRow(row, client, behind(client), table.revision);
    next.set(client.node, row);
  }
  rows.forEach((row, node) => next.has(node) || row.remove());
  // Only what stands elsewhere moves: moving an element takes the focus from it.
  [...next.values()].forEach((row, at) => body.children[at] === row || body.insertBefore(row, body.children[at] ?? null));
  rows = next;
}

function showPlace(chosen, first, shown) {
  const all = table.clients.length;
  const of = chosen === all ? counted(all, "client") : `${count(chosen)} that match, of ${counted(all, "client")}`;
  const range = shown === 0 ? "None of" : `${count(first + 1)} to ${count(first + shown)} of`;
  write(element("shown"), all === 0 ? "No client is connected." : `${range} ${of}`);
  element("previous").disabled = first === 0;
  element("next").disabled = first + shown >= chosen;
  for (const header of document.querySelectorAll("[data-column]")) {
    const order = table.descending ? "descending" : "ascending";
    header.setAttribute("aria-sort", header.dataset.column === table.column ? order : "none");
  }
}

function choose(change) {
  Object.assign(table, { page: 0 }, change);
  show();
}

for (const header of document.querySelectorAll("[data-column]")) {
  const { column } = header.dataset;
  header.firstElementChild.addEventListener("click", () => {
    choose({ column, descending: column === table.column ? !table.descending : COLUMNS[column].descending });
  });
}
element("filter").addEventListener("input", (event) => choose({ filter: event.target.value.trim().toLowerCase() }));
element("only").addEventListener("change", (event) => choose({ only: event.target.value }));
element("choice").addEventListener("submit", (event) => event.preventDefault());
element("previous").addEventListener("click", () => choose({ page: table.page - 1 }));
element("next").addEventListener("click", () => choose({ page: table.page + 1 }));
