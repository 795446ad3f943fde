// What the review page does at the desk: judgements, wishes and masks go to the server, full pictures come from it.
window.vividDesk = (() => {
  const find = (selector) => document.querySelector(selector);
  let row;
  let tell = () => {};

  async function send(path, body, type = "application/json") {
    const answer = await fetch(path, {
      method: "POST", body, headers: { "Content-Type": type, "X-Vivid-Desk": "1" }, credentials: "same-origin",
    }).catch((error) => ({ statusText: `The desk does not answer: ${error.message}` }));
    const said = await answer.json?.().catch(() => null) ?? { said: answer.statusText };
    if (said.said) tell(said.said);
    return answer.ok ? said : null;
  }

  const here = () => location.pathname.replace(/\/$/, "");
  const wish = () => ({
    picture: row.picture, tier: find("#desk-tier").value, prompt: find("#desk-prompt").value, background: find("#desk-background").value,
  });

  function take(asked, answer) {
    asked.wish = answer.wish;
    kept.add(asked.picture);
  }

  // A mask for a row's picture; an empty file takes it back.
  async function sendMask(asked, file) {
    const answer = await send(`${here()}/mask?picture=${encodeURIComponent(asked.picture)}`, file, "image/png");
    if (answer) take(asked, answer);
    if (row === asked) find("#desk-own").hidden = !row.wish.mask;
    return Boolean(answer);
  }

  async function keep() {
    if (!row) return false;
    const asked = row;
    const file = find("#desk-mask").files[0];
    const body = JSON.stringify(wish());
    if (file && !(await sendMask(asked, file))) return false;
    find("#desk-mask").value = "";
    const answer = await send(`${here()}/wish`, body);
    if (answer) take(asked, answer);
    return Boolean(answer);
  }

  // ---- what is being made again: asked after until it is another row, which then takes the place of this one
  const EVERY_MS = 3000;
  const PATIENCE_MS = 3600 * 1000;
  const kept = new Set();
  const busy = new Map();
  let rowsOf = () => [];
  let renew = () => {};
  let timer;

  async function launch() {
    const launched = await send(`${here()}/launch`, "{}");
    if (!launched?.runs) return;
    // All renditions of a picture are asked after; one that stays as it is, until the patience ends.
    const until = Date.now() + PATIENCE_MS;
    for (const picture of kept) for (const asked of rowsOf(picture)) busy.set(asked, until);
    kept.clear();
    find("#desk-busy").hidden = !busy.has(row);
    timer ??= setInterval(look, EVERY_MS);
  }

  async function look() {
    for (const [asked, until] of document.hidden ? [] : [...busy]) {
      const address = `${here()}/row?picture=${encodeURIComponent(asked.picture)}&name=${encodeURIComponent(asked.name)}`;
      const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
      const now = answer?.ok ? await answer.json().catch(() => null) : null;
      const isNew = now && now.key !== asked.key;
      if (isNew || Date.now() > until) busy.delete(asked);
      if (!isNew) continue;
      Object.assign(asked, now);
      renew(asked);
      tell(`${asked.name} has been made again.`);
    }
    if (busy.size) return;
    clearInterval(timer);
    timer = undefined;
  }

  // The mask that was asked for and perhaps not made yet, else the one that the picture has.
  function currentMask(asked) {
    const own = asked.wish?.mask;
    return own ? `${here()}/full/own?picture=${encodeURIComponent(asked.picture)}&key=${own}` : asked.full.mask;
  }

  async function draw() {
    const asked = row;
    if (!find("#desk") || !asked?.full?.before || asked.frames || window.vividDraw.isOpen()) return;
    try {
      await window.vividDraw.open(asked.full.before, currentMask(asked), (file) => sendMask(asked, file));
    } catch (error) {
      tell(`The picture or its mask could not be loaded: ${error.message}`);
    }
  }

  // In the panel Enter makes the picture again, and Escape gives the keys back to the page.
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("#desk input:not([type=file])")) return;
    if (event.key === "Enter") find("#desk-again").click();
    if (event.key === "Enter" || event.key === "Escape") event.target.blur();
  });

  return {
    draw,
    ask() { find("#desk-tier")?.select(); },
    // What the page does with a row that has been made again.
    whenRenewed(does, rowsOfPicture) { [renew, rowsOf] = [does, rowsOfPicture]; },
    judge(judged, judgement, notify) {
      tell = notify;
      send(`${here()}/judge`, JSON.stringify({ picture: judged.picture, name: judged.name, judgement }));
    },
    // Small pictures are there at once; the full ones take their place when they have come.
    show(shown, images, notify) {
      tell = notify;
      row = shown;
      if (!find("#desk")) return;
      find("#desk-tier").value = row?.wish?.tier ?? "";
      find("#desk-prompt").value = row?.wish?.prompt ?? "";
      find("#desk-background").value = row?.wish?.background ?? "";
      find("#desk-mask").value = "";
      find("#desk-own").hidden = !row?.wish?.mask;
      find("#desk-busy").hidden = !busy.has(row);
      // A clip takes no mask.
      for (const offer of document.querySelectorAll(".desk-of-pictures")) offer.hidden = Boolean(row?.frames);
      find("#desk-again").onclick = async () => { if (await keep()) await launch(); };
      find("#desk-keep").onclick = keep;
      find("#desk-draw").onclick = draw;
      find("#desk-drop").onclick = () => sendMask(row, "");
      for (const part of ["before", "mask", "after"]) {
        const url = row?.full?.[part];
        if (!url) continue;
        const full = new Image();
        full.onload = () => { if (row === shown) images[part].src = url; };
        full.src = url;
      }
    },
  };
})();
