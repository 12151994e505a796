import { assertEquals } from "@std/assert";
import { audienceOf, refuseAudience } from "../../src/auth/audience.ts";
import { clip } from "../../src/auth/text.ts";
import { OWN } from "./support.ts";

Deno.test("refuseAudience: accepts audiences that cover the kite", () => {
  const covering = [
    "/",
    "/testuser",
    "/testuser/",
    "/testuser/test",
    "/testuser//echo",
    "/testuser/test/echo",
    "/testuser/test/echo/",
    "/testuser/test/echo/1.0.0/local/host/9f92b681-aa1e-4769-9370-99308c30fd5b",
    audienceOf(OWN),
  ];
  for (const audience of covering) assertEquals(refuseAudience(OWN, audience), undefined, audience);
});

Deno.test("refuseAudience: refuses other audiences with the reason", () => {
  const cases: Readonly<Record<string, string>> = {
    "/Testuser": 'audience: username "Testuser" not allowed (/Testuser)',
    "/testuser2": 'audience: username "testuser2" not allowed (/testuser2)',
    "/test": 'audience: username "test" not allowed (/test)',
    "/bob/test/echo": 'audience: username "bob" not allowed (/bob/test/echo)',
    "/testuser/tes": 'audience: environment "tes" not allowed (/testuser/tes)',
    "/testuser//ech": 'audience: kite "ech" not allowed (/testuser//ech)',
    "/%74estuser": 'audience: username "%74estuser" not allowed (/%74estuser)',
    "/..": 'audience: username ".." not allowed (/..)',
    "//test/echo": "invalid audience: must be /username/environment/name (//test/echo)",
    "//": "invalid audience: must be /username/environment/name (//)",
    "testuser": "invalid audience: must be /username/environment/name (testuser)",
    " /": "invalid audience: must be /username/environment/name ( /)",
    "*": "invalid audience: must be /username/environment/name (*)",
    "": "invalid audience: must be /username/environment/name ()",
    "/testuser/a/b/c/d/e/f/g":
      "invalid audience: must be /username/environment/name (/testuser/a/b/c/d/e/f/g)",
  };
  for (const [audience, reason] of Object.entries(cases)) {
    assertEquals(refuseAudience(OWN, audience), reason);
  }
});

Deno.test("refuseAudience: only / covers a kite without a username", () => {
  const nobody = { username: "", environment: "", name: "" };
  assertEquals(refuseAudience(nobody, "/"), undefined);
  for (const audience of ["//", "///", "", "//test"]) {
    assertEquals(typeof refuseAudience(nobody, audience), "string");
  }
});

Deno.test("clip: truncates a text and replaces control characters", () => {
  assertEquals(clip("plain ünïcode 😀"), "plain ünïcode 😀");
  assertEquals(clip("a\r\n\u001b[31m\u0085"), "a\ufffd\ufffd\ufffd[31m\ufffd");
  assertEquals(clip("x".repeat(300)), `${"x".repeat(256)}…`);
});
