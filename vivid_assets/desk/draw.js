"use strict";
// Drawing a mask at the desk: a brush adds to the mask that the picture has, or takes from it, at the picture's own size.
window.vividDraw = (() => {
  const find = (selector) => document.querySelector(selector);
  // What is subject is shown in a colour that products seldom have. Its opacity is the mask; what it covers is CSS's.
  const COLOR = [255, 43, 214];
  const HELP = "Coloured: the subject. Wheel: zoom. Shift and drag: move.";
  const STRIP = 256; // rows that are read at a time, so that a large picture is not in memory twice
  let mask;
  let start; // the mask that the drawing began from: undo draws it and then all strokes but the last
  let strokes = [];
  let adds = true;
  let scale = 1;
  let pan = [0, 0];
  let finish = () => {};

  const stage = () => find("#draw-stage");
  const isOpen = () => Boolean(find("#draw")?.open);
  const diameter = () => Number(find("#draw-size").value);

  async function loaded(url, picture = new Image()) {
    picture.src = url;
    await picture.decode();
    return picture;
  }

  function surface(width, height) {
    return Object.assign(document.createElement("canvas"), { width, height });
  }

  // A grey picture as a canvas whose opacity it is.
  function asOpacity(picture, width, height) {
    const canvas = surface(width, height);
    if (!picture) return canvas;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0, width, height);
    for (let top = 0; top < height; top += STRIP) {
      const strip = context.getImageData(0, top, width, Math.min(STRIP, height - top));
      const { data } = strip;
      for (let at = 0; at < data.length; at += 4) {
        data[at + 3] = data[at];
        [data[at], data[at + 1], data[at + 2]] = COLOR;
      }
      context.putImageData(strip, 0, top);
    }
    return canvas;
  }

  // The mask as people and the pipeline have it: white on black, a PNG.
  function asFile() {
    const canvas = surface(mask.width, mask.height);
    const context = canvas.getContext("2d");
    context.drawImage(mask, 0, 0);
    for (const [operation, color] of [["source-in", "#fff"], ["destination-over", "#000"]]) {
      context.globalCompositeOperation = operation;
      context.fillStyle = color;
      context.fillRect(0, 0, mask.width, mask.height);
    }
    return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  }

  // ---- strokes
  function draw(stroke, from) {
    const context = mask.getContext("2d");
    context.globalCompositeOperation = stroke.adds ? "source-over" : "destination-out";
    context.strokeStyle = context.fillStyle = `rgb(${COLOR.join(" ")})`;
    context.lineWidth = stroke.size;
    context.lineCap = "round";
    for (let at = from; at < stroke.points.length; at += 1) {
      const [x, y] = stroke.points[at];
      context.beginPath();
      if (at) {
        context.moveTo(...stroke.points[at - 1]);
        context.lineTo(x, y);
        context.stroke();
      } else {
        context.arc(x, y, stroke.size / 2, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  function undo() {
    if (!strokes.pop()) return;
    const context = mask.getContext("2d");
    context.globalCompositeOperation = "copy";
    context.drawImage(start, 0, 0);
    for (const stroke of strokes) draw(stroke, 0);
    showTools();
  }

  // ---- what is seen
  function showTools() {
    find("#draw-add").setAttribute("aria-pressed", adds);
    find("#draw-remove").setAttribute("aria-pressed", !adds);
    find("#draw-undo").disabled = !strokes.length;
    find("#draw-zoom").textContent = `${Math.round(100 * scale)} %`;
    find("#draw-sheet").style.transform = `translate(${pan[0]}px, ${pan[1]}px) scale(${scale})`;
    const brush = find("#draw-brush").style;
    brush.width = brush.height = `${diameter() * scale}px`;
  }

  function choose(adding) {
    adds = adding;
    showTools();
  }

  function resize(factor) {
    const size = find("#draw-size");
    size.value = factor > 1 ? Math.max(diameter() + 1, diameter() * factor) : Math.min(diameter() - 1, diameter() * factor);
    showTools();
  }

  // Zoom about a point of the stage, which stays where it is.
  function zoom(factor, x = stage().clientWidth / 2, y = stage().clientHeight / 2) {
    const next = Math.min(32, Math.max(0.02, scale * factor));
    pan = [x - ((x - pan[0]) * next) / scale, y - ((y - pan[1]) * next) / scale];
    scale = next;
    showTools();
  }

  function fit() {
    const { clientWidth, clientHeight } = stage();
    scale = Math.min(clientWidth / mask.width, clientHeight / mask.height);
    pan = [(clientWidth - mask.width * scale) / 2, (clientHeight - mask.height * scale) / 2];
    showTools();
  }

  function onStage({ clientX, clientY }) {
    const box = stage().getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  function press(event) {
    const [x, y] = onStage(event);
    const moves = event.button === 1 || event.shiftKey;
    if (event.button && !moves) return;
    event.preventDefault();
    stage().focus();
    stage().setPointerCapture(event.pointerId);
    const place = (at) => [(at[0] - pan[0]) / scale, (at[1] - pan[1]) / scale];
    const before = [...pan];
    const stroke = { adds, size: diameter(), points: [place([x, y])] };
    if (!moves) { strokes.push(stroke); draw(stroke, 0); showTools(); }
    const move = (moved) => {
      const at = onStage(moved);
      if (moves) {
        pan = [before[0] + at[0] - x, before[1] + at[1] - y];
        showTools();
      } else {
        stroke.points.push(place(at));
        draw(stroke, stroke.points.length - 1);
      }
    };
    const ends = new AbortController();
    stage().addEventListener("pointermove", move, ends);
    for (const end of ["pointerup", "pointercancel"]) stage().addEventListener(end, () => ends.abort(), ends);
  }

  function showBrush(event) {
    const [x, y] = onStage(event);
    Object.assign(find("#draw-brush").style, { left: `${x}px`, top: `${y}px` });
  }

  // ---- keys: none of the page's while the drawing is open
  const KEYS = {
    a: () => choose(true), r: () => choose(false), u: undo, "[": () => resize(1 / 1.25), "]": () => resize(1.25),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(1 / 1.25), 0: fit, Enter: () => finish(true),
    // A drawing is not lost by a key.
    Escape: () => strokes.length || finish(false),
  };

  document.addEventListener("keydown", (event) => {
    if (!isOpen()) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const undoes = (event.ctrlKey || event.metaKey) && key === "z";
    if (!undoes && (event.ctrlKey || event.metaKey || event.altKey)) return;
    const action = undoes ? undo : KEYS[key];
    if (!action || (key === "Enter" && event.target.tagName === "BUTTON")) return;
    action();
    event.preventDefault();
  });

  function wire() {
    const clicks = {
      add: () => choose(true), remove: () => choose(false), undo, out: () => zoom(1 / 1.25), in: () => zoom(1.25), fit,
      keep: () => finish(true), cancel: () => finish(false),
    };
    for (const [name, action] of Object.entries(clicks)) {
      find(`#draw-${name}`).onclick = () => { action(); stage().focus(); };
    }
    find("#draw-size").oninput = showTools;
    stage().onpointerdown = press;
    stage().onpointermove = showBrush;
    stage().onwheel = (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.25 : 1 / 1.25, ...onStage(event));
    };
  }

  return {
    isOpen,
    // Draw over ``picture``, beginning with the mask at ``from`` if there is one; ``keep`` gets the file, and says whether
    // it was kept. Raises an error when one of the two cannot be loaded.
    async open(picture, from, keep) {
      const { naturalWidth: width, naturalHeight: height } = await loaded(picture, find("#draw-picture"));
      start = asOpacity(from && (await loaded(from)), width, height);
      mask = find("#draw-mask");
      Object.assign(mask, { width, height });
      mask.getContext("2d").drawImage(start, 0, 0);
      strokes = [];
      adds = true;
      const longest = Math.max(width, height);
      Object.assign(find("#draw-size"), { max: longest, value: Math.ceil(longest / 25) });
      const say = (text, isBusy) => {
        find("#draw-help").textContent = text;
        find("#draw-keep").disabled = isBusy;
      };
      finish = async (keeps) => {
        if (find("#draw-keep").disabled) return;
        if (keeps) {
          say("Keeping the mask; a large one takes some seconds.", true);
          const isKept = await keep(await asFile());
          say(isKept ? HELP : "The desk did not take the mask. It is still here: try again, or cancel.", false);
          if (!isKept) return;
        }
        find("#draw").close();
      };
      say(HELP, false);
      wire();
      find("#draw").showModal();
      stage().focus();
      fit();
    },
  };
})();
