"use strict";
// Who keeps the choices: a served page sends each one to the store at once, a page that is a single file keeps
// them in this browser until the result is downloaded.
const keepers = ({ state, trouble, status, showAgain }) => {
  function serverKeeper() {
    const base = location.pathname.replace(/\/*$/, "");
    const token = base.split("/").pop();
    const waiting = new Map(); // item -> what to save; the newest choice of an item replaces an older one
    const stored = new Map(); // item -> what the program said last it has
    let sending = false;
    let pause = 500;

    async function call(path, body) {
      const options = { headers: { "X-Clipbench-Token": token }, cache: "no-store", credentials: "omit" };
      if (body) {
        options.method = "POST";
        options.headers["Content-Type"] = "application/json";
        options.body = JSON.stringify(body);
      }
      const answer = await fetch(base + path, options);
      const value = await answer.json().catch(() => ({}));
      if (!answer.ok) {
        const error = new Error(value.error || "The program answered " + answer.status + ".");
        error.restarted = answer.status === 403;
        error.refused = answer.status >= 400 && answer.status < 500;
        throw error;
      }
      return value;
    }

    // What is not saved yet is also kept by the browser, for a program that was stopped and started again.
    const place = (item) => "clipbench unsaved " + state.page.sample + " " + state.page.annotator + " " + item;
    const value = ({ category, subtype, note }) => JSON.stringify([category || null, subtype || null, note || ""]);

    function keep(item, text) {
      try {
        if (text) localStorage.setItem(place(item), text);
        else localStorage.removeItem(place(item));
      } catch { /* a browser that keeps nothing: the page itself still does */ }
    }

    function takeUp(entry) {
      stored.set(entry.item, value(entry));
      let left = null;
      try {
        left = JSON.parse(localStorage.getItem(place(entry.item)));
      } catch { /* nothing is kept here */ }
      if (!left) return;
      // Somebody may have labelled it elsewhere since: then that stands.
      if (left.before !== value(entry)) return keep(entry.item);
      const [category, subtype, note] = JSON.parse(left.after);
      Object.assign(entry, { category, subtype, note });
      waiting.set(entry.item, { annotator: state.page.annotator, item: entry.item, category, subtype, note });
    }

    async function flush() {
      if (sending) return;
      sending = true;
      while (waiting.size) {
        const [item, body] = waiting.entries().next().value;
        try {
          await call("/api/label", body);
          stored.set(item, value(body));
          if (waiting.get(item) === body) {
            waiting.delete(item);
            keep(item);
          }
          if (pause > 500) showAgain();
          pause = 500;
          trouble("");
        } catch (error) {
          if (error.restarted) {
            trouble("Not saved: clipbench was started again. Open the address that it printed now, in this browser: " +
              waiting.size + (waiting.size === 1 ? " choice is" : " choices are") + " kept here and saved then.");
            break;
          }
          if (error.refused) {
            waiting.delete(item);
            keep(item);
            trouble("Not saved: " + error.message);
            break;
          }
          trouble("Not saved yet: no connection to clipbench. Keep this page open; it tries again.");
          await new Promise((done) => setTimeout(done, pause));
          pause = Math.min(pause * 2, 5000);
        }
      }
      sending = false;
      status();
    }

    addEventListener("beforeunload", (event) => {
      if (waiting.size) event.preventDefault();
    });
    return {
      file: false,
      people: () => call("/api/start"),
      items: async (name) => {
        state.page = await call("/api/items?annotator=" + encodeURIComponent(name));
        state.page.items.forEach(takeUp);
        flush();
        return state.page;
      },
      picture: (entry, side) => base + "/picture/" + entry.item.split(":").pop() + "/" + (side ? "right" : "left") + ".jpg",
      save: (entry) => {
        const { item, category, subtype, note } = entry;
        waiting.set(item, { annotator: state.page.annotator, item, category, subtype, note });
        keep(item, JSON.stringify({ before: stored.get(item), after: value(entry) }));
        flush();
      },
      pending: () => waiting.size,
    };
  }

  function fileKeeper(page) {
    const place = () => "clipbench " + page.sample + " " + state.page.annotator;
    let kept = true;
    return {
      file: true,
      people: async () => ({ title: page.title, free: !page.annotator, people: page.annotator ? [{ name: page.annotator, total: page.items.length, done: 0 }] : [] }),
      items: async (name) => {
        const mine = { ...page, annotator: name };
        state.page = mine;
        try {
          const saved = JSON.parse(localStorage.getItem(place()) || "{}");
          for (const entry of mine.items) Object.assign(entry, { category: null, subtype: null, note: "" }, saved[entry.item]);
        } catch {
          kept = false;
        }
        return mine;
      },
      picture: (entry, side) => page.pictures[entry.sides[side].src],
      save: () => {
        const all = {};
        for (const { item, category, subtype, note } of state.page.items) {
          if (category || note) all[item] = { category, subtype, note };
        }
        try {
          localStorage.setItem(place(), JSON.stringify(all));
          kept = true;
        } catch {
          kept = false;
        }
        trouble(kept ? "" : "This browser keeps nothing for this page: download the result before you close it.");
        status();
      },
      pending: () => (kept ? 0 : 1),
    };
  }

  return { serverKeeper, fileKeeper };
};
