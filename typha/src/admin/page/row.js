// One client as a row of the table. What it says of itself is text here, whatever it looks like.

import { counted, duration, moment, write } from "./text.js";

// A node with more failures than this has one cause for most of them.
const FAILURES_SHOWN = 20;

/** Fills a row that was made from the template. */
export function showRow(row, client, behind, revision) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  const applied = client.applied_revision;
  write(cell("node"), client.node);
  write(cell("behind"), behind === Infinity ? "unknown" : String(behind));
  write(cell("where"), where(client, behind, revision));
  write(cell("applied"), applied === null ? "–" : String(applied));
  write(cell("applied-at"), applied === null ? "–" : moment(client.applied_at_unix_ms));
  write(cell("position"), String(client.position_revision));
  write(cell("address"), client.address);
  write(cell("version"), client.version);
  row.classList.toggle("behind", behind > 0);
  showFailures(cell("failures"), cell("no-failures"), client.failures);
}

// Tells a client that does not read from one that has not reported, and a slow stream from a slow node.
function where(client, behind, revision) {
  if (behind === 0) {
    return "";
  }
  const handedOut = client.position_revision >= revision ? "handed out" : "not handed out yet";
  const read = client.stalled_ms === null ? handedOut : `has not read for ${duration(client.stalled_ms)}`;
  const reported = client.applied_revision === null ? `no report; ${read}` : read;
  return `${reported}; for ${duration(client.behind_ms)}`;
}

function showFailures(details, none, failures) {
  none.hidden = failures.length > 0;
  details.hidden = failures.length === 0;
  write(details.querySelector("summary"), counted(failures.length, "failure"));
  const lines = failures.slice(0, FAILURES_SHOWN).map(({ object, reason }) => `${object}: ${reason}`);
  if (failures.length > lines.length) {
    lines.push(`and ${failures.length - lines.length} more`);
  }
  const list = details.querySelector("ul");
  while (list.children.length > lines.length) {
    list.lastElementChild.remove();
  }
  lines.forEach((line, at) => write(list.children[at] ?? list.appendChild(document.createElement("li")), line));
}
