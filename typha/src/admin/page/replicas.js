// All replicas beside each other, as /replicas tells of them. Asked apart from the rest: one that is silent takes a second.

import { count, duration, write } from "./text.js";

const WAIT_MS = 1000;
const GIVE_UP_MS = 10_000;

const element = (id) => document.getElementById(id);

/** Asks and shows for ever, while `isWanted` says so. */
export async function watchReplicas(isWanted) {
  for (;;) {
    if (isWanted()) {
      try {
        const response = await fetch("replicas", { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP_MS) });
        show(await response.json());
      } catch {
        // That this typha does not answer is told by the page's own loop.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}

function show(replicas) {
  element("replicas").hidden = replicas.length === 0;
  const rows = element("replica-rows");
  while (rows.children.length > replicas.length) {
    rows.lastElementChild.remove();
  }
  const newest = Math.max(...replicas.map(({ status }) => status?.revision ?? 0));
  replicas.forEach((replica, at) => {
    const row = rows.children[at] ?? rows.appendChild(element("replica-row").content.firstElementChild.cloneNode(true));
    showRow(row, replica, newest);
  });
  const silent = replicas.filter(({ status }) => status === null);
  const names = silent.map(({ address, silence }) => `${address} (${silence})`).join(", ");
  write(element("replicas-silent"), silent.length === 0 ? "" : `No answer from ${names}.`);
  element("replicas-silent").hidden = silent.length === 0;
}

function showRow(row, { address, status, silence }, newest) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  const word = status === null ? "no answer" : status.obstacles.length === 0 ? "ready" : "not ready";
  write(cell("address"), address);
  write(cell("name"), status?.name ?? "–");
  write(cell("state"), word);
  cell("state").title = silence ?? status.obstacles.join("; ");
  write(cell("revision"), status === null ? "–" : String(status.revision));
  write(cell("behind"), status === null ? "–" : String(newest - status.revision));
  write(cell("digest"), status?.digest ?? "–");
  const age = status?.upstream_age_ms ?? null;
  write(cell("upstream-age"), age === null ? "–" : duration(age));
  write(cell("clients"), status === null ? "–" : count(status.acks.clients));
  write(cell("applied"), status === null ? "–" : count(status.acks.applied));
  row.classList.toggle("behind", word !== "ready");
}
