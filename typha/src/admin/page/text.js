// Numbers and times in words, and the only way by which text enters the page.

const KILO = 1024;

/** Sets an element's text; touches nothing where it is the same, so that a selection in it stays. */
export function write(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** 4998 as "4,998". For counts; revisions are names, and stay as they are. */
export function count(number) {
  return number.toLocaleString("en");
}

/** "1 node", "2 nodes". */
export function counted(number, one) {
  return `${count(number)} ${one}${number === 1 ? "" : "s"}`;
}

/** Milliseconds as a person says them. */
export function duration(ms) {
  const seconds = Math.max(ms, 0) / 1000;
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }
  const steps = [[1, 120, "s"], [60, 120, "min"], [3600, 48, "h"], [86_400, Infinity, "days"]];
  const [unit, , name] = steps.find(([unit, limit]) => seconds / unit < limit);
  return `${Math.floor(seconds / unit)} ${name}`;
}

/** How far a client is behind and why, by /status: "2 revisions for 14 s, has not read for 12 s". */
export function lag({ behind_revisions, behind_ms, stalled_ms }) {
  const revisions = behind_revisions === null ? "no report" : counted(behind_revisions, "revision");
  const why = stalled_ms === null ? "reads, has not reported more" : `has not read for ${duration(stalled_ms)}`;
  return `${revisions} for ${duration(behind_ms)}, ${why}`;
}

/** Bytes in the unit that keeps them short. */
export function bytes(number) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (number >= KILO && unit < units.length - 1) {
    number /= KILO;
    unit += 1;
  }
  return `${unit === 0 ? number : number.toFixed(1)} ${units[unit]}`;
}

/** A time of day by this machine's clock; with its date where that is another than today. */
export function moment(unixMs) {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) {
    // It is a client's word, and no clock shows it.
    return "unknown";
  }
  const pad = (number) => String(number).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(":");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(pad).join("-");
  return date.toDateString() === new Date().toDateString() ? time : `${day} ${time}`;
}
