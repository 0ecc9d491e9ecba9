// The conversation follows its end, unless the reader looks at something above it.
const NEAR = 80;
let scroller = null;
let following = true;

const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;

/** Go to the end, if the reader was there. */
export function follow() {
  if (scroller && following) scroller.scrollTop = scroller.scrollHeight;
}

/** Go to the end whatever the reader looks at: they wrote something. */
export function toEnd() {
  following = true;
  follow();
}

export function startScroll() {
  scroller = document.querySelector(".scroller");
  if (!scroller || !document.getElementById("turns")) return;
  toEnd();
  scroller.addEventListener("scroll", () => { following = atEnd(); }, { passive: true });
  new ResizeObserver(follow).observe(scroller);
}
