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
  const FIELDS = ["tier", "prompt", "background"];
  // What the fields had before anybody typed.
  let filled = {};

  function fill() {
    filled = Object.fromEntries(FIELDS.map((name) => [name, row?.wish?.[name] ?? ""]));
    for (const name of FIELDS) find(`#desk-${name}`).value = filled[name];
  }

  // What was typed: what was left as it was shown may have been changed by somebody else meanwhile.
  function typed() {
    const texts = FIELDS.map((name) => [name, find(`#desk-${name}`).value]);
    return Object.fromEntries(texts.filter(([name, text]) => text !== filled[name]));
  }

  // What is asked now, by whomever, goes into the fields, or it would count as typed there the next time. What has been
  // typed since stays.
  function take(asked, answer, sent = {}) {
    asked.wish = answer.wish;
    kept.add(asked.picture);
    if (asked !== row) return;
    for (const name of FIELDS) {
      const field = find(`#desk-${name}`);
      const isUntouched = field.value === (sent[name] ?? filled[name]);
      if (isUntouched || name in sent) filled[name] = answer.wish[name];
      if (isUntouched) field.value = filled[name];
    }
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
    const [shown, texts] = [filled, typed()];
    if (file && !(await sendMask(asked, file))) return false;
    find("#desk-mask").value = "";
    const answer = await send(`${here()}/wish`, JSON.stringify({ picture: asked.picture, ...texts }));
    // Other fields than those that it was sent from, of the same row once more, have nothing of it yet.
    if (answer) take(asked, answer, filled === shown ? texts : {});
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

  // A row as it is now; null where it cannot be had.
  async function asIs(asked) {
    const address = `${here()}/row?picture=${encodeURIComponent(asked.picture)}&name=${encodeURIComponent(asked.name)}`;
    const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
    return answer?.ok ? answer.json().catch(() => null) : null;
  }

  async function look() {
    for (const [asked, until] of document.hidden ? [] : [...busy]) {
      const now = await asIs(asked);
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

  // ---- judgements: one after the other, each with what was shown, so that none is written over by who has not seen it
  let judging = Promise.resolve();
  let rejudged = () => {};

  async function sendJudgement(judged, judgement, key, refusals) {
    // Said before the page showed what somebody else has said.
    if ((judged.refusals ?? 0) !== refusals) return;
    const body = { picture: judged.picture, name: judged.name, judgement, key, seen: judged.judged };
    if (await send(`${here()}/judge`, JSON.stringify(body))) {
      judged.judged = judgement;
      return;
    }
    judged.refusals = refusals + 1;
    const now = await asIs(judged);
    const isNew = now && now.key !== judged.key;
    Object.assign(judged, isNew ? now : { judged: now?.judged ?? judged.judged });
    (isNew ? renew : rejudged)(judged);
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
    // And with one of which something else holds than what was said.
    whenRejudged(does) { rejudged = does; },
    judge(judged, judgement, notify) {
      tell = notify;
      const { key, refusals = 0 } = judged;
      // An error of one is said, and does not keep the later ones from being sent.
      judging = judging.then(() => sendJudgement(judged, judgement, key, refusals)).catch((error) => {
        tell(`What you said of ${judged.name} may not have been kept: ${error.message}. Reload the page.`);
      });
    },
    // Small pictures are there at once; the full ones take their place when they have come.
    show(shown, images, notify) {
      tell = notify;
      row = shown;
      if (!find("#desk")) return;
      fill();
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
