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

  // A mask for a row's picture; an empty file takes it back.
  async function sendMask(asked, file) {
    const kept = await send(`${here()}/mask?picture=${encodeURIComponent(asked.picture)}`, file, "image/png");
    if (kept) asked.wish = kept.wish;
    if (row === asked) find("#desk-own").hidden = !row.wish.mask;
    return Boolean(kept);
  }

  async function keep() {
    if (!row) return false;
    const asked = row;
    const file = find("#desk-mask").files[0];
    const body = JSON.stringify(wish());
    if (file && !(await sendMask(asked, file))) return false;
    find("#desk-mask").value = "";
    const kept = await send(`${here()}/wish`, body);
    if (kept) asked.wish = kept.wish;
    return Boolean(kept);
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

  return {
    draw,
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
      // A clip takes no mask.
      for (const offer of document.querySelectorAll(".desk-of-pictures")) offer.hidden = Boolean(row?.frames);
      find("#desk-again").onclick = async () => { if (await keep()) await send(`${here()}/launch`, "{}"); };
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
