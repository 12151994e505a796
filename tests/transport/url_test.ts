import { assert, assertEquals, assertFalse, assertMatch, assertThrows } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import {
  displayUrl,
  newSessionPath,
  parseKiteUrl,
  pathnameOf,
  transportUrl,
} from "../../src/transport/url.ts";

Deno.test("transportUrl: inserts the session before the query", () => {
  const cases = {
    "http://h:1/kite": "http://h:1/kite/000/s/xhr",
    "ws://h:1/kite": "http://h:1/kite/000/s/xhr",
    "wss://h/kite": "https://h/kite/000/s/xhr",
    "https://h/proxy?kiteID=X&a=b": "https://h/proxy/000/s/xhr?kiteID=X&a=b",
    "http://h/kite/": "http://h/kite/000/s/xhr",
    "http://h/kite//?q": "http://h/kite/000/s/xhr?q",
    "http://h": "http://h/000/s/xhr",
    "http://[::1]:3000/kite#part": "http://[::1]:3000/kite/000/s/xhr",
    "http://h/a%2Fb%20c": "http://h/a%2Fb%20c/000/s/xhr",
  };
  for (const [url, expected] of Object.entries(cases)) {
    assertEquals(transportUrl(parseKiteUrl(url), "000/s", "xhr").href, expected);
    assertEquals(transportUrl(parseKiteUrl(new URL(url)), "000/s", "xhr").href, expected);
  }
});

Deno.test("parseKiteUrl: does not change the given URL", () => {
  const url = new URL("ws://h/kite#part");
  parseKiteUrl(url);
  assertEquals(url.href, "ws://h/kite#part");
});

Deno.test("newSessionPath: returns three digits and twenty random characters", () => {
  const paths = Array.from({ length: 500 }, newSessionPath);
  for (const path of paths) assertMatch(path, /^\d{3}\/[a-z0-9]{20}$/);
  assertEquals(new Set(paths.map((path) => path.slice(4))).size, 500);
  assert(new Set(paths.map((path) => path.slice(0, 3))).size > 100);
});

Deno.test("parseKiteUrl: refuses an invalid URL with the reason, without its secrets", () => {
  const cases: [string, RegExp][] = [
    ["", /^Cannot use url "": must be a URL such as http:\/\/host:port\/kite$/],
    ["localhost:3636/kite", /^Cannot use url "localhost:3636\/kite": must be a URL/],
    ["//user:hush@host/kite?token=hush", /^Cannot use url "\/\/host\/kite": must be a URL/],
    ["ftp://h/kite", /^Cannot use url "ftp:\/\/h\/kite": must be a URL/],
    ["http://me:hush@h/kite", /must not contain a user name or password/],
    ["http://", /^Cannot use url "http:\/\/": must be a URL/],
  ];
  for (const [url, fault] of cases) {
    const error = assertThrows(() => parseKiteUrl(url), KiteError) as KiteError;
    assertEquals(error.type, "configError");
    assertMatch(error.message, fault);
    assertFalse(error.message.includes("hush"), error.message);
  }
});

Deno.test("displayUrl: omits the query", () => {
  assertEquals(displayUrl(parseKiteUrl("ws://h:1/kite?token=hush")), "http://h:1/kite");
});

Deno.test("parseKiteUrl: refuses white space and control characters without showing them", () => {
  const tails = [
    "\r\nX: y",
    "\t",
    " ",
    "\x1b[31m",
    "\0",
    "\u202e",
    "\u2028",
    "\u2029",
    "\x7f",
    "\u00a0",
  ];
  for (const tail of tails) {
    for (const url of [`http://h/kite${tail}`, `${tail}http://h/kite`, `http://h/ki${tail}te?q`]) {
      const error = assertThrows(() => parseKiteUrl(url), KiteError) as KiteError;
      assertEquals(error.type, "configError");
      assertMatch(
        error.message,
        /^Cannot use url: must not contain white space or control characters/,
      );
      assertFalse(error.message.includes(tail.trim() || "\t"), JSON.stringify(error.message));
    }
  }
});

Deno.test("pathnameOf: returns the same as URL", () => {
  for (
    const text of [
      "http://h/",
      "http://h",
      "https://h:1/a/b?c=/d#e",
      "http://[::1]:3/a#?",
      "http://h?x=/",
    ]
  ) {
    const { href, pathname } = new URL(text);
    assertEquals(pathnameOf(href), pathname);
  }
});
