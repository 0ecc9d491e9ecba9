// The one event stream of this tab. It watches every run on the page that is not over, and resumes where it was; beside
// them what waits for an answer, and a sandbox's log.
import { apply } from "./patch.js";
import { follow } from "./scroll.js";

let source = null;
const seen = new Map(); // run -> position after which we know

function topics() {
  return [...document.querySelectorAll("[data-topic]")].map((one) => one.dataset.topic).filter(Boolean).map((topic) => {
    const [kind, run, after] = topic.split(":");
    if (kind !== "run") return topic;
    return [kind, run, Math.max(Number(after), seen.get(run) ?? 0)].join(":");
  });
}

function learn(id) {
  for (const pair of id.split(";")) {
    const [run, after] = pair.split("=");
    if (after) seen.set(run, Number(after));
  }
}

function over(run) {
  for (const one of document.querySelectorAll("[data-topic]")) {
    if (one.dataset.topic.startsWith(`run:${run}:`)) delete one.dataset.topic;
  }
  document.dispatchEvent(new CustomEvent("signet:over", { detail: { run } }));
}

function state(text) {
  document.body.dataset.stream = text;
}

/** Open the stream anew, for what the page shows now. */
export function watch() {
  source?.close();
  source = null;
  const wanted = topics().slice(0, 8);
  // A tab that nobody looks at keeps no connection open for a number in its navigation: browsers have few.
  if (!wanted.length || (document.hidden && wanted.every((topic) => topic === "approvals"))) { state("idle"); return; }
  source = new EventSource("/events?topics=" + encodeURIComponent(wanted.join(",")));
  source.onopen = () => state("open");
  source.onerror = () => { if (source?.readyState === EventSource.CLOSED) retry(); else state("retrying"); };
  source.onmessage = (event) => {
    learn(event.lastEventId);
    const data = JSON.parse(event.data);
    apply(data.operations);
    follow();
    if (data.final) over(data.run);
  };
  source.addEventListener("end", () => { source.close(); source = null; state("idle"); if (topics().length) watch(); });
  source.addEventListener("away", () => state("away"));
  source.addEventListener("gone", () => { source.close(); state("gone"); });
  source.addEventListener("signed-out", () => { source.close(); location.reload(); });
}

/** A server that was away answers no stream at all; browsers then give up, and we do not. */
function retry() {
  state("retrying");
  source = null;
  setTimeout(watch, 1500);
}

export function startStream() {
  watch();
  document.addEventListener("visibilitychange", () => { if (document.hidden === (source !== null)) watch(); });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) watch(); });
}
