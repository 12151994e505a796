// For the type of globalThis.page.
import type {} from "./page.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startTestKontrol } from "../../src/testing/mod.ts";
import { ourKite } from "../interop/our_kite.ts";
import { Peer } from "../interop/peers.ts";
import { NpmPeer, preparePeer } from "../npm/npm_peer.ts";
import { findRuntimes, Project } from "../npm/support.ts";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { TestBrowser } from "./support.ts";
import { EXPECTED, visit } from "./visit.ts";
import { openPeer } from "./webrtc_page.ts";

Deno.test({
  name: "a page in Chromium is a kite for Deno, kite.js and Go kites, under a strict policy",
  ...skipUnless("chromium", "go", "node"),
  fn: async (t) => {
    await using browser = await TestBrowser.start();
    const kite = ourKite({ origins: [browser.origin] });
    await using server = await kite.listen();
    await using kitejs = await Peer.kitejsServer("-transport", "SockJS", "-prefix", "/kite");
    await using go = await Peer.goServer();
    for (
      const [name, url] of [["Deno", server.url], ["kite.js", kitejs.url], ["Go", go.url]] as const
    ) {
      for (const webSocket of [true, false]) {
        const transport = webSocket ? "WebSocket" : "XHRPolling";
        await t.step(`${name} kite over ${transport}`, async () => {
          await using page = await browser.open({ webSocket });
          assertEquals(await visit(page, url), { transport, ...EXPECTED });
          assertEquals(page.errors, []);
        });
      }
    }
  },
});

const runtimes = findRuntimes();

Deno.test({
  name: "a page in Chromium calls kites of the npm package on Node and Bun, and is called back",
  ...skipUnless("chromium", "node"),
  fn: async (t) => {
    await using browser = await TestBrowser.start();
    await using project = await Project.create();
    await preparePeer(project);
    for (const runtime of runtimes) {
      await using peer = await NpmPeer.serve(project, runtime, { PEER_ORIGIN: browser.origin });
      for (const webSocket of [true, false]) {
        const transport = webSocket ? "WebSocket" : "XHRPolling";
        await t.step(`${runtime.name}, over ${transport}`, async () => {
          await using page = await browser.open({ webSocket });
          assertEquals(await visit(page, peer.url), { transport, ...EXPECTED });
          assertEquals(page.errors, []);
        });
      }
    }
  },
});

Deno.test({
  name: "a page that the browser does not call secure is a kite, too",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    await using server = await ourKite({ origins: ["*"] }).listen();
    await using page = await browser.open({ secure: false });
    assertEquals(await page.evaluate(() => Reflect.get(globalThis, "isSecureContext")), false);
    assertEquals(await visit(page, server.url), { transport: "WebSocket", ...EXPECTED });
  },
});

Deno.test({
  name: "a page sends compact messages if it imports them, and plain ones otherwise",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    await using server = await ourKite({ origins: [browser.origin] }).listen();
    await using page = await browser.open();
    const [plain, compact] = await page.evaluate(async (url) => {
      const sent: string[] = [];
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (text) {
        sent.push(String(text));
        send.call(this, text);
      };
      const { Kite, compactMessages } = globalThis.page;
      const last: string[] = [];
      for (const options of [{}, { compact: compactMessages }]) {
        await using kite = new Kite("page", "1.0.0", options);
        const remote = kite.newClient(url);
        await remote.dial();
        // The first answer brings what the server understands.
        for (const n of [4, 5]) await remote.tell("square", n);
        last.push(sent.at(-1) ?? "");
      }
      return last;
    }, server.url);
    assert(plain!.startsWith('["{'), plain);
    assert(compact!.startsWith("[["), compact);
    assert(compact!.length < plain!.length);
  },
});

Deno.test({
  name: "a local kite does not obey a page of another origin, unless its owner lists it",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    await using server = await ourKite().listen();
    for (const webSocket of [true, false]) {
      await using page = await browser.open({ webSocket });
      const failure = await page.evaluate(async (url) => {
        await using kite = new globalThis.page.Kite("page", "1.0.0");
        const remote = kite.newClient(url);
        await remote.dial();
        return await remote.tell("square", 4).then(() => "answered", String);
      }, server.url);
      assert(failure.startsWith('notAllowed: Cannot call "square" from a page of'), failure);
      assertStringIncludes(failure, browser.origin);
      assertStringIncludes(failure, "option origins");
    }
  },
});

Deno.test({
  name: "a page finds kites through Kontrol, with a token that it renews",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    await using kontrol = await startTestKontrol({ tokens: { timeToLive: 4_000, leeway: 0 } });
    const math = await kontrol.newKite("math");
    math.handle("square", ({ args }) => args.one().number() ** 2);
    math.handle("whoami", ({ username, authentication }) => [username, authentication?.type]);
    await math.register((await math.listen()).url);
    await using page = await browser.open();
    const found = await page.evaluate(async ({ url, key }) => {
      const { Kite } = globalThis.page;
      await using kite = new Kite("page", "1.0.0", {
        kontrolUrl: url,
        kontrolAuthentication: { type: "kiteKey", key },
      });
      const events = kite.watchKites({ name: "math" });
      const iterator = events[Symbol.asyncIterator]();
      const first = await iterator.next();
      await events.close();
      const [client] = await kite.getKites({ name: "math" });
      const token = await kite.getToken({ name: "math" });
      const renewed = new Promise((resolve) => client!.onTokenRenew(resolve));
      await client!.dial();
      const before = client!.authentication?.key;
      const squared = await client!.tell("square", 4);
      await renewed;
      const after = client!.authentication?.key;
      const caller = await client!.tell("whoami");
      const watched = first.done === true ? "" : first.value.action;
      return { watched, isToken: token.split(".").length === 3, squared, caller, before, after };
    }, { url: kontrol.url, key: await kontrol.kiteKey("alice") });
    assertEquals(found.watched, "REGISTER");
    assert(found.isToken);
    assertEquals(found.squared, 16);
    assertEquals(found.caller, ["alice", "token"]);
    assert(found.after !== undefined && found.after !== found.before);
  },
});

Deno.test({
  name: "a page survives the restart of its server, over WebSocket and XHR",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    let server = await ourKite({ origins: [browser.origin] }).listen();
    const { port } = server;
    try {
      await using socketPage = await browser.open();
      await using xhrPage = await browser.open({ webSocket: false });
      const pages = [socketPage, xhrPage];
      for (const page of pages) {
        await page.evaluate(async (url) => {
          const { Kite } = globalThis.page;
          const reconnect = { initialDelay: 50, maxDelay: 200 };
          const remote = new Kite("page", "1.0.0").newClient(url, { reconnect });
          await remote.dialForever();
          Object.assign(globalThis, { remote });
        }, server.url);
      }
      await server.close({ deadline: 100 });
      const calls = pages.map((page) =>
        page.evaluate(async () => {
          const { remote } = globalThis as unknown as {
            remote: ReturnType<InstanceType<typeof globalThis.page.Kite>["newClient"]>;
          };
          // A call is lost if it leaves before the page has heard of the end.
          return await remote.tellWith({ idempotent: true }, "square", 5);
        })
      );
      server = await ourKite({ origins: [browser.origin], port }).listen();
      assertEquals(await Promise.all(calls), [25, 25]);
    } finally {
      await server.close({ deadline: 100 });
    }
  },
});

Deno.test({
  name: "two pages connect over WebRTC with the offers and answers that a kite passes on",
  ...skipUnless("chromium"),
  fn: async () => {
    await using browser = await TestBrowser.start();
    const relay = ourKite({ origins: [browser.origin], webrtc: true });
    await using server = await relay.listen();
    await using callee = await browser.open();
    await using caller = await browser.open();
    const calleeId = await callee.evaluate(openPeer, { url: server.url, dst: "" });
    await caller.evaluate(openPeer, { url: server.url, dst: calleeId });
    const received = await eventually(
      () => callee.evaluate(() => (globalThis as { received?: string }).received),
      { what: "the text over WebRTC", withinMs: 20_000 },
    );
    assertEquals(received, "hello over WebRTC");
  },
});
