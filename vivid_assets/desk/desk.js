"use strict";
// What the review page does at the desk: judgements, wishes and masks go to the server, full pictures come from it.
window.vividDesk = (() => {
  const find = (selector) => document.querySelector(selector);
  let row;
  let tell = () => {};

  async function send(path, body, type = "application/json") {
    const answer = await fetch(path, {
      method: "POST", body, headers: { "Content-Type": type, "X-Vivid-Desk": "1" }, credentials: "same-origin",
    });
    const said = await answer.json().catch(() => ({ said: answer.statusText }));
    if (said.said) tell(said.said);
    return answer.ok ? said : null;
  }

  const here = () => location.pathname.replace(/\/$/, "");
  const wish = () => ({
    picture: row.picture, tier: find("#desk-tier").value, prompt: find("#desk-prompt").value, background: find("#desk-background").value,
  });

  async function keep() {
    if (!row) return false;
    const file = find("#desk-mask").files[0];
    if (file && !(await send(`${here()}/mask?picture=${encodeURIComponent(row.picture)}`, file, "image/png"))) return false;
    find("#desk-mask").value = "";
    const kept = await send(`${here()}/wish`, JSON.stringify(wish()));
    if (kept) row.wish = kept.wish;
    return Boolean(kept);
  }

  return {
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
      find("#desk-again").onclick = async () => { if (await keep()) await send(`${here()}/launch`, "{}"); };
      find("#desk-keep").onclick = keep;
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
