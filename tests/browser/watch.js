// Follows a picture while it is redrawn: its height in every frame, and when the new content of the
// first change has been loaded. Evaluated with the <img> as argument; window.redraw.end() reports.
image => {
  const heights = [];
  const seen = { isShown: false };
  let started = null;
  let loaded = null;
  let isOver = false;
  const start = () => { started ??= performance.now(); };
  const kinds = ["keydown", "pointerdown", "change"];
  kinds.forEach(kind => document.addEventListener(kind, start, { capture: true }));
  const load = () => { loaded ??= performance.now(); };
  image.addEventListener("load", load);
  const sample = () => {
    heights.push(image.isConnected ? image.getBoundingClientRect().height : 0);
    seen.isShown = loaded !== null;  // one frame after it was loaded, it is painted
    if (!isOver) requestAnimationFrame(sample);
  };
  seen.end = () => {
    isOver = true;
    kinds.forEach(kind => document.removeEventListener(kind, start, { capture: true }));
    image.removeEventListener("load", load);
    return { milliseconds: loaded - started, heights };
  };
  requestAnimationFrame(sample);
  window.redraw = seen;
}
