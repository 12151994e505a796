import { assertEquals } from "@std/assert";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { KiteKeyVerifier } from "../../src/auth/kite_key_verifier.ts";
import { TokenVerifier } from "../../src/auth/token.ts";
import { OWN, refusalOf } from "./support.ts";

/** A kite.key as a Go Kontrol signed it; the keys were made for that one run. */
const KITE_KEY = [
  "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJqdGkiOiIyYmY0YzI4Mi0wMzE3LTQxYjEtOWY3ZC1iNTczNWE",
  "1ODQwNWQiLCJpYXQiOjE3OTUyMzU2NzAsImlzcyI6InRlc3R1c2VyIiwic3ViIjoidGVzdHVzZXIiLCJrb250cm9",
  "sS2V5IjoiLS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS1cbk1JSUJJakFOQmdrcWhraUc5dzBCQVFFRkFBT0NBUTh",
  "BTUlJQkNnS0NBUUVBdU84cFZFcnl0cEZxckN3a0k0dWZcblY3R3B0a3FlMU95YUlldGowWjlkT2Q2Z2wxSSt5SUZ",
  "CSGhHblBDNk1UTndRZXlqVklacWNLQ2V2YUhScEFpSTZcbnFTaGpPZm5LY1NjOFNwRC9kSVBOczRsWjZOcjFsU1l",
  "tUHRDOWhwRW9UdEVTVnlmRS91Q0VuUEdST3YzdWJFY0pcblZRNkN1UTUyWFl2QjM4YjBETmJjUjRJWnlDM1IxbGN",
  "wbHg5OWYxc1hHbjZYVyswTDd5MFVxdGQ1bG1iZUlsUkdcbjdONWZ0NzZUVFRrTlM5aGh6RjIyT2t5ZFgrSmFraUl",
  "BZ2QwdjBaMVViUTg3LzBPRVhRVEFDMm5Sc1I5SmNSVzNcbmhrcGNSZGpOeTZQRXB1Y2pPdkU2c1VRTi9vcGlVMGo",
  "1VUlGbGFxWlEyY216OFV1V3hJbU1xYnpRaUpYTGMzVHNcbm9RSURBUUFCXG4tLS0tLUVORCBQVUJMSUMgS0VZLS0",
  "tLS0iLCJrb250cm9sVVJMIjoiaHR0cDovLzEyNy4wLjAuMTo0MDAwL2tpdGUifQ.V9BE6p_OmUHZlDUF51ApP1Yg",
  "whp6C2OsaNtdlQFiKGimKcJBDzXYb-W3X2ALwB07uvzQwJlVQgjhtBZnlENr9hFw6Z1wfe-f9TyZttncxxr4uw5r",
  "aHDz4eu1A-zUfx9OxGqXuVKnaIiqSpepgaDI7w6PzjX77WlMlWy1pzoC9IQtq8dxFo1uJRuZCOVhWJj6ehiMAj27",
  "ehQ9ASId-B_ovW9e8YT9jQ7R6X2G4f5Ykuo3Oxm7fFQDZYSno0qrkjrAWL5wNThd0RzvdLZAsHVNmE0cAyZ41HH3",
  "7jgjcWjjLTbTMGtLtecp0CZxhQTrgcXpKCPgmU3Gr4HPgvTHMgqkxw",
].join("");

/** A token from the same Kontrol, for /testuser/test/echo. */
const TOKEN = [
  "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiIvdGVzdHVzZXIvdGVzdC9lY2hvIiwiZXhwIjoxNzk",
  "1NDA5MTEzLCJqdGkiOiJjYTU0ZjE3MC04YmE5LTQ2OGQtYjhiYS1jN2Q1Y2ZlNDExMzgiLCJpYXQiOjE3OTUyMzU",
  "3MTMsImlzcyI6InRlc3R1c2VyIiwibmJmIjoxNzk1MjM1NzEzLCJzdWIiOiJ0ZXN0dXNlciJ9.G45qGBY-BZCOq_",
  "ZOIqR8dslpC8Ar8Y2og7amugSiCO56PJASOeFeOk9XOOBQgINaqeW2TloZ8l1PprzC7T7vTfRochfpClMzTurjzG",
  "s1dBC4xDdbVivi-_nXDjU59yyIhsi7ghf4JJHc6sfENdmzRlpq8FdUu8PPOAb7DTE4N8dPYR9lw3vDiLEA6wpYqg",
  "vaTf8VGXz3yJwioqDGivO3EpxTmf0-pQzUy6jigrdcNCWLWRNI8jcsvX7_HF0oIFT_Po3YYL55lPFxDoElsfRd2Z",
  "KEEntEBFb8EeG7QkSEvN1p_LRJnFXnkJEVeOCvoBCJf9EFB0cXf6Fu1Wpq7OnoBA",
].join("");

const ISSUED = 1_795_235_713_000;
const EXPIRES = 1_795_409_113_000;

Deno.test("verifiers: accept a kite.key and a token that the Go Kontrol signed", async () => {
  const { kontrolKey = "", kontrolURL, iss } = readKiteKeyClaims(KITE_KEY);
  assertEquals([iss, kontrolURL], ["testuser", "http://127.0.0.1:4000/kite"]);
  let now = ISSUED;
  const trusted = { trustedKeys: () => [kontrolKey], now: () => now };
  const kiteKeys = new KiteKeyVerifier(trusted);
  assertEquals((await kiteKeys.verify(KITE_KEY)).username, "testuser");
  const tokens = new TokenVerifier({
    ...trusted,
    kontrolUser: () => "testuser",
    identity: () => OWN,
  });
  const { username, expires, claims } = await tokens.verify(TOKEN);
  assertEquals([username, expires, claims.aud], ["testuser", EXPIRES, "/testuser/test/echo"]);
  now = EXPIRES + 12_000;
  assertEquals(await refusalOf(tokens, TOKEN), "token is expired by 12s");
  assertEquals(await refusalOf(kiteKeys, TOKEN), "no kontrol key found");
  assertEquals(await refusalOf(tokens, KITE_KEY), "token has no audience");
});
