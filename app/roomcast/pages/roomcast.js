/*
 * The client of a Roomcast relay, for web pages: it joins a room, comes back when the connection
 * breaks, and goes on where it was. One file, no dependency, nothing to build. A relay serves it:
 *
 *   <script src="https://relay.example/-/roomcast.js"></script>     defines Roomcast; so does, in a module,
 *   import "https://relay.example/-/roomcast.js";
 *
 *   const room = Roomcast.join("wss://relay.example/rooms/lobby", {
 *     history: 50,                      // on joining, and after a gap: this many of the newest messages
 *     token: () => fetchToken(),        // a string, or a function that returns one, or a promise of one
 *     onMessage: ({ data, from, subject, offset, time_ms, isOwn }) => …,    // a string, or a Uint8Array
 *     onWelcome: ({ id, epoch, members, greeting, isResumed }) => …,        // each time that it is in the room
 *     onPresence: ({ count, present, joined, left }) => …,                  // where the room says who is in it
 *     onGap: ({ reason }) => …,         // what was said before the next message is lost to us
 *     onError: ({ reason, detail }) => …,                                   // the relay objects to something
 *     onState: (state, { delay_ms, reason, code, detail, id }) => …,        // connecting, open, waiting, ended
 *   });
 *   const offset = await room.send("hello");     // it was accepted; or this throws, and error.reason says why
 *   room.retry();                                // comes back now, whatever the wait, and after an end too
 *   room.close();
 *
 * What it promises: messages come in the order of their offsets, each once, and where some are
 * missing, onGap says so. What `send` has delivered does not come again as a message, whether the room
 * echoes or not. Nothing is sent twice: what was not acknowledged when a connection broke is looked
 * for in what the room replays; where it is not found, `send` throws with the reason "unknown".
 *
 * It speaks the subprotocol roomcast.json. Pings, with which the relay finds dead connections, are
 * answered by the browser itself and are not seen here.
 */
globalThis.Roomcast = (() => {
  "use strict";

  const PROTOCOL = "roomcast.json";
  // Waits are drawn between nothing and a longest that doubles up to this ("full jitter"): of ten
  // thousand who were thrown out at once, each second brings as many back as the one before.
  const WAIT_FIRST_MS = 1_000, WAIT_LONGEST_MS = 30_000;
  // What a relay asks for comes first, up to here: a wrong number must not keep a page away for days.
  const WAIT_TOLD_LONGEST_MS = 3_600_000;
  // Who is dismissed is told its own place in a stream of those who come back, and is at most so much late.
  const PLACE_MS = 100;
  // Only a connection that lasted this long is a success, after which waits begin anew. A relay
  // that accepts and closes at once would otherwise be asked once a second for ever.
  const STEADY_MS = 5_000;
  // A connection that has brought no welcome by then never will: something on the way is stuck.
  const WELCOME_MS = 15_000;
  // How long after a resume an unacknowledged message may still turn up among the replayed ones.
  const REPLAY_MS = 5_000;
  // A stream of events that says nothing for so long is dead, or a proxy of its way is.
  const SILENCE_MS = 30_000;
  // Of one event with all its lines. Who sends more than that before its end sends no events.
  const EVENT_MAX_CHARS = 4_194_304;
  // Who we have been in this room: each reconnect makes us another member.
  const IDS_KEPT = 100;

  const valueOf = (option) => (typeof option === "function" ? option() : option);
  const failure = (reason, detail) => Object.assign(new Error(detail), { name: "RoomcastError", reason });

  function toBase64(data) {
    const isView = ArrayBuffer.isView(data);
    const bytes = isView ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    let text = "";
    // In pieces, because each byte becomes an argument, and a call may have only so many.
    for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
    return btoa(text);
  }
  const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  // ---- A connection that comes back ----------------------------------------------------------

  // What a room and a stream of events have in common: when to come back, and when to stay away.
  // Who extends it says how to open a connection, and how to drop one.
  class Link {
    #failures = 0;
    #openedAt = 0;
    #timer = 0;
    #notBefore = 0;
    state = "connecting";

    constructor(url, options) {
      this.url = new URL(url, globalThis.location?.href);
      this.options = options;
      // A network is back: whatever was waited for, it need not be, but for what the relay has asked for.
      this.hurry = () => this.state === "waiting" && performance.now() >= this.#notBefore && this.#connect();
      globalThis.addEventListener?.("online", this.hurry);
      // Callers first get the object that their callbacks will speak of.
      queueMicrotask(() => this.state === "connecting" && this.#connect());
    }

    close() {
      if (this.state !== "ended") this.end({ reason: "closed" });
    }

    retry() {
      if (this.state !== "waiting" && this.state !== "ended") return;
      globalThis.addEventListener?.("online", this.hurry);
      this.#connect();
    }

    #connect() {
      clearTimeout(this.#timer);
      this.say("connecting", {});
      this.open();
    }

    say(state, detail) {
      this.state = state;
      this.options.onState?.(state, detail);
    }

    opened(detail) {
      this.#openedAt = performance.now();
      this.say("open", detail);
    }

    // Comes back after what it was told, never sooner. What is drawn comes on top, and is ever more for whoever fails
    // again and again; for who has a place of its own, next to nothing, as long as the wait for it is the longer one.
    wait(told_ms, detail, hasPlace = false) {
      this.drop();
      if (this.#openedAt && performance.now() - this.#openedAt > STEADY_MS) this.#failures = 0;
      this.#openedAt = 0;
      const longest_ms = Math.min(WAIT_LONGEST_MS, WAIT_FIRST_MS * 2 ** this.#failures++);
      const least_ms = Math.min(told_ms ?? 0, WAIT_TOLD_LONGEST_MS);
      const delay_ms = least_ms + Math.random() * (hasPlace && least_ms >= longest_ms ? PLACE_MS : longest_ms);
      this.#notBefore = performance.now() + least_ms;
      this.#timer = setTimeout(() => this.#connect(), delay_ms);
      this.say("waiting", { ...detail, delay_ms });
    }

    end(detail) {
      clearTimeout(this.#timer);
      globalThis.removeEventListener?.("online", this.hurry);
      this.drop();
      this.say("ended", detail);
    }
  }

  // ---- A room --------------------------------------------------------------------------------

  class Room extends Link {
    #socket = null;
    #visit = 0;
    #token = "";
    #goodbye = null;
    #welcomeTimer = 0;
    #replayTimer = 0;
    // The position: all up to this offset has been delivered, or is our own and acknowledged.
    #epoch = "";
    #offset = 0;
    // How far the room was when it welcomed us: up to here it replays.
    #head = 0;
    #refs = 0;
    #pending = new Map();
    // Offsets of our own messages that lie ahead of the position.
    #acknowledged = new Set();
    #ids = new Set();
    #present = null;
    id = "";

    // Where a later `since` would go on: "epoch:offset", or "" before the first welcome.
    get position() {
      return this.#epoch && `${this.#epoch}:${this.#offset}`;
    }

    // Publishes a string, an ArrayBuffer or a view of one. Resolves to its offset.
    send(data) {
      if (this.state !== "open") return Promise.reject(failure("offline", "there is no connection to the room"));
      const ref = String(++this.#refs);
      const body = typeof data === "string" ? { text: data } : { base64: toBase64(data) };
      this.#socket.send(JSON.stringify({ type: "publish", ref, ...body }));
      return new Promise((resolve, reject) => this.#pending.set(ref, { body, resolve, reject, visit: this.#visit }));
    }

    async open() {
      const visit = ++this.#visit;
      let token;
      try {
        token = await valueOf(this.options.token);
      } catch (error) {
        if (visit === this.#visit) this.wait(0, { reason: "token", detail: String(error) });
        return;
      }
      // Meanwhile somebody may have called close().
      if (visit === this.#visit) this.#visitWith(token);
    }

    #visitWith(token) {
      this.#token = token;
      try {
        this.#listen(new WebSocket(this.#address(), token ? [PROTOCOL, `bearer.${token}`] : [PROTOCOL]));
      } catch (error) {
        // An address or a token that no WebSocket takes does not become better by waiting.
        this.end({ reason: "invalid", detail: error.message });
      }
    }

    #address() {
      const { url, options } = this;
      const address = new URL(url);
      address.protocol = { "http:": "ws:", "https:": "wss:" }[url.protocol] ?? url.protocol;
      if (options.history) address.searchParams.set("history", options.history);
      const since = this.position || options.since;
      if (since) address.searchParams.set("since", since);
      // We would rather hear of a gap and go on than be closed for it.
      address.searchParams.set("gap", "ok");
      return address;
    }

    #listen(socket) {
      this.#socket = socket;
      this.#goodbye = null;
      this.#welcomeTimer = setTimeout(() => this.wait(0, { reason: "no welcome" }), WELCOME_MS);
      socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
      socket.onclose = ({ code, reason }) => this.#closed(code, reason);
      socket.onopen = () => {
        if (socket.protocol !== PROTOCOL) this.end({ reason: "protocol", detail: `the server does not speak ${PROTOCOL}` });
      };
    }

    drop() {
      const socket = this.#socket;
      this.#visit++;
      this.#socket = null;
      clearTimeout(this.#welcomeTimer);
      clearTimeout(this.#replayTimer);
      if (socket) {
        // It may still say something, but of a connection that we have given up.
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
      }
    }

    end(detail) {
      super.end(detail);
      this.#giveUp(Infinity);
    }

    #closed(code, reason) {
      // Behind a goodbye the close frame may get lost; it would have said the same.
      const goodbye = this.#goodbye ?? { reason, code };
      const detail = { reason: goodbye.reason, code: goodbye.code, detail: goodbye.detail, id: goodbye.id };
      // 44xx says: do not come back unchanged. A new token would be a change.
      if (goodbye.code === 4401 && typeof this.options.token === "function") return this.#renew(detail);
      if (goodbye.reconnect_after_ms === null || (code >= 4400 && code <= 4499)) return this.end(detail);
      const told = /\bretry_after_ms=(\d+)/.exec(reason);
      return this.wait(goodbye.reconnect_after_ms ?? (told ? Number(told[1]) : 0), detail, true);
    }

    // Comes back with a newer token. Without one it ends, if the relay has closed already.
    async #renew(goodbye) {
      const visit = this.#visit;
      let token = this.#token;
      try {
        token = await valueOf(this.options.token);
      } catch {
        // As good as none: who has no newer token goes on with the one that it has.
      }
      if (visit !== this.#visit) return;
      if (token && token !== this.#token) this.wait(0, goodbye ?? { reason: "token" });
      else if (goodbye) this.end(goodbye);
    }

    // ---- What the relay says

    #hear(said) {
      switch (said.type) {
        case "welcome": return this.#welcomed(said);
        case "message": return this.#received(said);
        case "ack": return this.#accepted(said);
        case "error": return this.#refused(said);
        case "joined": case "left": case "present": return this.#moved(said);
        case "gap": return this.#missed(said);
        // Before it ends, if there is a newer token; this loses nothing where the room keeps history.
        case "expiring": return typeof this.options.token === "function" ? this.#renew() : undefined;
        case "goodbye": this.#goodbye = said; return undefined;
        // A relay of tomorrow may say more.
        default: return undefined;
      }
    }

    #welcomed(said) {
      clearTimeout(this.#welcomeTimer);
      const isResumed = this.#epoch !== "";
      if (this.#epoch !== said.epoch) {
        this.#epoch = said.epoch;
        this.#offset = 0;
        this.#acknowledged.clear();
      }
      // Never back: what has been delivered is not delivered again.
      this.#offset = Math.max(this.#offset, said.offset);
      this.#head = said.head;
      this.id = said.id;
      this.#ids.add(said.id);
      if (this.#ids.size > IDS_KEPT) this.#ids.delete(this.#ids.values().next().value);
      this.opened({ isResumed });
      this.options.onWelcome?.({ ...said, isResumed });
      this.#present = said.present ? new Map(said.present.map((member) => [member.id, member])) : null;
      if (said.present) this.#tellPresence(said.members, [], []);
      const visit = this.#visit;
      this.#replayTimer = setTimeout(() => this.#giveUp(visit), REPLAY_MS);
      this.#giveUpIfReplayed();
    }

    #received({ offset, from, subject, time_ms, text, base64 }) {
      if (offset <= this.#offset) return;
      this.#offset = offset;
      const isOwn = this.#ids.has(from);
      const isDelivered = isOwn && (this.#acknowledged.has(offset) || this.#recognise({ text, base64 }, offset));
      this.#advance();
      if (!isDelivered) {
        const data = base64 === undefined ? text : fromBase64(base64);
        this.options.onMessage?.({ offset, from, subject, time_ms, data, isOwn });
      }
      this.#giveUpIfReplayed();
    }

    // A message of our own, of which we do not know yet that it was accepted: the oldest that says the same.
    #recognise({ text, base64 }, offset) {
      for (const [ref, { body, resolve }] of this.#pending) {
        if (body.text === text && body.base64 === base64) {
          this.#pending.delete(ref);
          resolve(offset);
          return true;
        }
      }
      return false;
    }

    // An acknowledgement may come before messages with smaller offsets, which we still have to get:
    // so it moves the position only where it is the very next.
    #accepted({ ref, offset }) {
      if (offset > this.#offset) this.#acknowledged.add(offset);
      this.#advance();
      this.#pending.get(ref)?.resolve(offset);
      this.#pending.delete(ref);
    }

    #advance() {
      while (this.#acknowledged.delete(this.#offset + 1)) this.#offset++;
      for (const offset of this.#acknowledged) if (offset <= this.#offset) this.#acknowledged.delete(offset);
    }

    #refused({ ref, reason, detail }) {
      const pending = this.#pending.get(ref);
      this.#pending.delete(ref);
      if (pending) pending.reject(failure(reason, detail));
      else this.options.onError?.({ reason, detail });
    }

    #missed({ reason, offset }) {
      this.#offset = Math.max(this.#offset, offset);
      this.#advance();
      this.options.onGap?.({ reason });
      this.#giveUpIfReplayed();
    }

    #giveUpIfReplayed() {
      if (this.#offset >= this.#head) this.#giveUp(this.#visit);
    }

    // What was sent before this visit, and has not turned up, may have arrived or not.
    #giveUp(visit) {
      for (const [ref, pending] of this.#pending) {
        if (pending.visit < visit) {
          this.#pending.delete(ref);
          pending.reject(failure("unknown", "the connection broke before the relay had acknowledged it"));
        }
      }
    }

    #moved({ type, members, count }) {
      if (!this.#present) return;
      // We had not read for a while, and were not told of those who came and went meanwhile.
      if (type === "present") this.#present = new Map();
      for (const member of members) {
        if (type === "left") this.#present.delete(member.id);
        else this.#present.set(member.id, member);
      }
      this.#tellPresence(count, type === "joined" ? members : [], type === "left" ? members : []);
    }

    // Of a large room not everybody is named: `count` is right, `present` are those we know of.
    #tellPresence(count, joined, left) {
      this.options.onPresence?.({ count, present: [...this.#present.values()], joined, left });
    }
  }

  // ---- A stream of events --------------------------------------------------------------------

  // What EventSource does, and two things that it cannot: send a key, and come back after a 503.
  //
  //   const events = Roomcast.events("/api/v1/events", { key: "…", onEvent: ({ type, data, id }) => …, onState });
  class Events extends Link {
    #abort = null;
    #silence = 0;
    #lastId = "";
    #told_ms = 0;
    #hasPlace = false;

    async open() {
      const abort = (this.#abort = new AbortController());
      this.#hear();
      try {
        const answer = await fetch(this.url, { headers: await this.#headers(), signal: abort.signal, cache: "no-store" });
        if (abort.signal.aborted) return;
        if (!answer.ok) return void (await this.#refused(answer));
        this.opened({});
        await this.#read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
        if (!abort.signal.aborted) this.#comeBack({ reason: "the stream ended" });
      } catch (error) {
        if (!abort.signal.aborted) this.#comeBack({ reason: "gone", detail: String(error.message) });
      }
    }

    #comeBack(detail) {
      const [told_ms, hasPlace] = [this.#told_ms, this.#hasPlace];
      // A place is taken once. If nobody is there by then, it is not waited for as long again.
      if (hasPlace) [this.#told_ms, this.#hasPlace] = [0, false];
      this.wait(told_ms, detail, hasPlace);
    }

    async #headers() {
      const headers = { Accept: "text/event-stream" };
      const key = await valueOf(this.options.key);
      if (key) headers.Authorization = `Bearer ${key}`;
      if (this.#lastId) headers["Last-Event-ID"] = this.#lastId;
      return headers;
    }

    async #refused(answer) {
      const detail = { reason: "refused", code: answer.status, detail: await answer.text() };
      if (answer.status >= 500 || answer.status === 429) {
        this.wait(1_000 * (Number(answer.headers.get("Retry-After")) || 0), detail);
      } else {
        this.end(detail);
      }
    }

    async #read(reader) {
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.#hear();
        // The half of a line end that CR LF is must wait for its other half.
        const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop();
        lines.forEach((line) => this.#line(line));
        this.#checkLength(this.#event.chars + rest.length - "data: ".length);
      }
    }

    #begun = () => ({ type: "", data: [], chars: 0 });
    #event = this.#begun();
    #line(line) {
      if (line === "") {
        const { type, data } = this.#event;
        this.#event = this.#begun();
        this.#hasPlace ||= type === "goodbye";
        if (data.length) this.options.onEvent?.({ type: type || "message", data: data.join("\n"), id: this.#lastId });
        return;
      }
      const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (name === "data") this.#add(value ?? "");
      else if (name === "event") this.#event.type = value;
      else if (name === "id") this.#lastId = value ?? "";
      else if (name === "retry" && /^\d+$/.test(value)) this.#told_ms = Number(value);
    }

    #add(data) {
      this.#event.data.push(data);
      // With the line end, so that empty lines have their price, too.
      this.#event.chars += data.length + 1;
      this.#checkLength(this.#event.chars);
    }

    #checkLength(chars) {
      if (chars > EVENT_MAX_CHARS) throw new Error("an event of the stream is too long");
    }

    #hear() {
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.wait(0, { reason: "silence" }), SILENCE_MS);
    }

    drop() {
      clearTimeout(this.#silence);
      this.#abort?.abort();
      this.#event = this.#begun();
    }
  }

  return {
    join: (url, options = {}) => new Room(url, options),
    events: (url, options = {}) => new Events(url, options),
  };
})();
