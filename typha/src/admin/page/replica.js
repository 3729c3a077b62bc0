// What /status says of this replica, and of all nodes together.

import { bytes, count, counted, duration, lag, write } from "./text.js";

const element = (id) => document.getElementById(id);

/** Shows an answer of /status. */
export function showReplica(status) {
  showReadiness(status);
  write(element("name"), status.name);
  write(element("revision"), String(status.revision));
  write(element("keys"), count(status.keys));
  write(element("in-sync"), status.in_sync ? "yes" : "no");
  const age = status.upstream_age_ms;
  write(element("upstream-age"), age === null ? "never heard of" : duration(age));
  write(element("state-bytes"), bytes(status.state_bytes));
  write(element("admission"), admitted(status.admission));
  write(element("datastore"), status.datastore_id);
  write(element("digest"), status.digest);
  showCertificates(status);
  showAcks(status.acks);
}

function showCertificates({ certificates, certificates_refused = null }) {
  const names = { own: "own", ca: "CA" };
  const words = certificates.map(({ role, left_ms }) => `${names[role]} ${left(left_ms)}`);
  write(element("certificates"), words.length === 0 ? "unknown" : words.join(", "));
  const short = certificates.filter(({ is_short }) => is_short);
  const line = ({ subject, file, left_ms }) => `The certificate of ${subject} in ${file} expires ${left(left_ms)}. ` +
    "Issue a new one and replace the file; it is taken into use within seconds.";
  const refused = `The new certificates cannot be used, the old ones serve: ${certificates_refused}`;
  const lines = (certificates_refused === null ? [] : [refused]).concat(short.map(line));
  fill(element("bad-certificates"), lines, "li");
  element("bad-certificates").hidden = lines.length === 0;
}

function left(ms) {
  return ms === 0 ? "now" : `in ${duration(ms)}`;
}

function admitted({ used_bytes, budget_bytes, waiting_resumes = 0, waiting_repairs, waiting_snapshots }) {
  // A replica that was not updated yet tells nothing of resumptions.
  const waiting = waiting_resumes + waiting_repairs + waiting_snapshots;
  return `${bytes(used_bytes)} of ${bytes(budget_bytes)}` + (waiting > 0 ? `, ${counted(waiting, "client")} waiting` : "");
}

function showReadiness({ name, obstacles, complaint }) {
  const ready = obstacles.length === 0;
  const word = ready ? "ready" : "not ready";
  write(element("readiness"), word);
  element("readiness").className = ready ? "badge good" : "badge bad";
  document.title = `${word}: typha ${name}`;
  fill(element("obstacles"), obstacles, "li");
  element("obstacles").hidden = ready;
  // Where it keeps the replica from being ready, it is among the reasons.
  const extra = ready && complaint !== null;
  write(element("complaint"), extra ? `The datastore: ${complaint}` : "");
  element("complaint").hidden = !extra;
}

function showAcks({ revision, applied, clients, failing, lagging }) {
  const nobody = "No client is connected to this replica.";
  const sentence = `Revision ${revision} is applied by ${count(applied)} of ${counted(clients, "node")}.`;
  write(element("applied"), clients === 0 ? nobody : sentence);
  const share = element("applied-share");
  share.hidden = clients === 0;
  share.max = Math.max(clients, 1);
  share.value = applied;
  const more = clients - applied - lagging.length;
  const names = lagging.map((client) => `${client.node} (${lag(client)})`).join(", ") + (more > 0 ? ` and ${count(more)} more` : "");
  write(element("lagging"), lagging.length === 0 ? "" : `Lagging: ${names}.`);
  element("lagging").hidden = lagging.length === 0;
  write(element("failing"), failing === 0 ? "" : `${counted(failing, "node")} could not enforce everything.`);
  element("failing").hidden = failing === 0;
}

function fill(list, texts, tag) {
  while (list.children.length > texts.length) {
    list.lastElementChild.remove();
  }
  texts.forEach((text, at) => write(list.children[at] ?? list.appendChild(document.createElement(tag)), text));
}
