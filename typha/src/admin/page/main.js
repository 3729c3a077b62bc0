// The page's loop: ask, show, wait, ask again; and say so when nobody answers.

import { showClients } from "./clients.js";
import { showReplica } from "./replica.js";
import { watchReplicas } from "./replicas.js";
import { duration, moment, write } from "./text.js";

// From one answer to the next question.
const WAIT_MS = 1000;

// The list of thousands of clients is long; over a slow line about a fifth of the time goes into it.
const WAIT_PER_TRANSFER = 4;

// What is called live is never older than this and one transfer.
const WAIT_MAX_MS = 5000;

// A question that hangs is given up, and asked again.
const GIVE_UP_MS = 10_000;

// A replica that is alive answers within milliseconds.
const SILENT_AFTER_MS = 3000;

const link = {
  // When the page began, by this machine's clock.
  since: Date.now(),
  // When the last answer came; null before the first.
  heard: null,
  // Since when the short answer is waited for; null while it is not.
  asked: null,
  // Why the last question has no answer; null where it has one.
  failure: null,
  paused: false,
};

const element = (id) => document.getElementById(id);

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP_MS) });
  if (!response.ok) {
    throw new Error(`${path} is answered with status ${response.status}`);
  }
  return response.json();
}

// Asks and shows; gives how long to wait until the next time.
async function refresh() {
  let wait = WAIT_MS;
  link.asked = Date.now();
  try {
    const status = await ask("status");
    link.asked = null;
    const started = Date.now();
    const clients = await ask("clients");
    showReplica(status);
    showClients(clients, status.acks.revision);
    link.heard = Date.now();
    link.failure = null;
    wait = Math.min(Math.max(WAIT_MS, (link.heard - started) * WAIT_PER_TRANSFER), WAIT_MAX_MS);
  } catch (error) {
    link.asked = null;
    link.failure = error.name === "TimeoutError" ? `nothing came within ${duration(GIVE_UP_MS)}` : error.message;
  }
  showLink();
  return wait;
}

async function run() {
  for (;;) {
    const wait = link.paused || document.hidden ? WAIT_MS : await refresh();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function isSilent() {
  return link.failure !== null || (link.asked !== null && Date.now() - link.asked > SILENT_AFTER_MS);
}

function showLink() {
  const silent = isSilent() && !link.paused;
  const asOf = link.heard === null ? "" : `as of ${moment(link.heard)}`;
  write(element("freshness"), silent ? asOf : `${link.paused ? "Paused" : "Live"}, ${asOf || "no answer yet"}`);
  document.body.classList.toggle("outdated", silent);
  element("silence").hidden = !silent;
  if (silent) {
    showSilence();
  }
}

function showSilence() {
  const heard = link.heard;
  write(element("silence-since"), `This typha has not answered since ${moment(heard ?? link.since)}.`);
  const silence = duration(Date.now() - (heard ?? link.since));
  const shown = heard === null ? "" : " What is shown below is from then.";
  const reason = link.failure === null ? "" : ` (${link.failure})`;
  write(element("silence-detail"), `That is ${silence} ago${reason}. It is asked again until it answers.${shown}`);
  write(element("readiness"), "no answer");
  element("readiness").className = "badge bad";
  document.title = "no answer: typha";
}

element("pause").addEventListener("click", () => {
  link.paused = !link.paused;
  element("pause").setAttribute("aria-pressed", String(link.paused));
  write(element("pause"), link.paused ? "Go on" : "Pause");
  showLink();
});

setInterval(showLink, WAIT_MS);
watchReplicas(() => !link.paused && !document.hidden);
run();
