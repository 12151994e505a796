import { assertEquals, assertThrows } from "@std/assert";
import { KiteError, type KiteRequest } from "../../mod.ts";
import { completeLimits, DEFAULT_PROXY_LIMITS } from "../../src/proxy/limits.ts";
import { endToEnd, hasPassed, requestHeaders } from "../../src/proxy/headers.ts";
import { RegisteredKites } from "../../src/proxy/registered_kites.ts";
import { readTarget } from "../../src/proxy/target.ts";
import { isPrivateAddress } from "../../src/runtime/forwarding/addresses.ts";

Deno.test("readTarget: plain paths and any query are taken apart", () => {
  assertEquals(readTarget("/"), { path: "/", query: "" });
  assertEquals(readTarget("/a/b-c/"), { path: "/a/b-c/", query: "" });
  assertEquals(readTarget("/a%20b?c=/../%2e&d=?"), { path: "/a%20b", query: "?c=/../%2e&d=?" });
});

Deno.test("readTarget: what two servers might read differently is refused", () => {
  for (
    const target of [
      "",
      "*",
      "a",
      "http://a/",
      "/a/../b",
      "/./a",
      "/a//b",
      "//a",
      "/a%2Fb",
      "/a%5cb",
      "/a\\b",
      "/%2E%2e/",
      "/a%00",
      "/a%7f",
      "/a%",
      "/a#b",
      "/a b",
      "/é",
      "/a?b#c",
    ]
  ) {
    assertEquals(readTarget(target), undefined, target);
  }
});

Deno.test("isPrivateAddress: private, local and reserved addresses in every form, and no others", () => {
  for (
    const address of [
      "127.0.0.1",
      "10.1.2.3",
      "172.31.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "0.0.0.0",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "fe80::1",
      "fd00::1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::7f00:1",
      "64:ff9b::a00:1",
      "2002:a00:1::1",
      "::ffff:0:7f00:1",
      "2001:0:a00:1::1",
      "fec0::1",
    ]
  ) {
    assertEquals(isPrivateAddress(address), true, address);
  }
  for (const address of ["8.8.8.8", "172.32.0.1", "2001:4860:4860::8888", "example.com"]) {
    assertEquals(isPrivateAddress(address), false, address);
  }
});

Deno.test("endToEnd: headers named by Connection go too, but never the length of the body", () => {
  const headers = [
    "Connection",
    "X-A, Content-Length",
    "X-A",
    "1",
    "Content-Length",
    "3",
    "X-B",
    "2",
  ];
  assertEquals(endToEnd(headers), ["Content-Length", "3", "X-B", "2"]);
});

Deno.test("requestHeaders: Host is the kite's, and the proxy names itself in Via", () => {
  const head = {
    method: "GET",
    target: "/",
    rawHeaders: ["Host", "evil", "X-Forwarded-Proto", "https", "Via", "1.0 other"],
    isWebSocket: false,
    remoteAddress: "9.9.9.9",
    isSecure: false,
  };
  const headers = requestHeaders(head, "kite:1", "proxy-id");
  assertEquals(headers, [
    ...["Host", "kite:1", "Via", "1.0 other", "X-Forwarded-Host", "evil"],
    ...["X-Forwarded-For", "9.9.9.9", "X-Forwarded-Proto", "http", "Via", "1.1 proxy-id"],
  ]);
  assertEquals([hasPassed(headers, "proxy-id"), hasPassed(headers, "another")], [true, false]);
});

Deno.test("limits: unknown names and values that are no positive integer are refused", () => {
  assertEquals(completeLimits(DEFAULT_PROXY_LIMITS, { kites: 3 }).kites, 3);
  for (const limits of [{ kites: 0 }, { kites: 1.5 }, { kites: NaN }, { kite: 1 }]) {
    assertThrows(
      () => completeLimits(DEFAULT_PROXY_LIMITS, limits),
      KiteError,
      "Cannot use limits.",
    );
  }
});

Deno.test("RegisteredKites: a kite that registers again and again is entered, and followed, once", () => {
  const forgotten: number[] = [];
  const kites = new RegisteredKites<number>(10, (_id, value) => forgotten.push(value));
  const listeners = new Set<() => void>();
  const client = {
    onDisconnect(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const request = { kite: { id: "x", username: "alice" }, client } as unknown as KiteRequest;
  for (let value = 0; value < 3; value++) kites.add(request, value);
  assertEquals([kites.size, kites.get("x"), listeners.size], [1, 2, 1]);
  for (const listener of listeners) listener();
  assertEquals([kites.size, listeners.size, forgotten], [0, 0, [0, 1, 2]]);
});
