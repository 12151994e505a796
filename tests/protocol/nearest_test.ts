import { assertEquals } from "@std/assert";
import { nearestName } from "../../src/protocol/nearest.ts";

const names = ["username", "kontrolUrl", "kontrolUser", "port", "ip"];

Deno.test("nearestName: returns the most similar name, if any is similar", () => {
  assertEquals(nearestName("usrname", names), "username");
  assertEquals(nearestName("kontrolURL", names), "kontrolUrl");
  assertEquals(nearestName("kontroluser", names), "kontrolUser");
  assertEquals(nearestName("prot", names), "port");
  assertEquals(nearestName("pott", names), "port");
  assertEquals(nearestName("color", names), undefined);
  assertEquals(nearestName("", names), undefined);
  assertEquals(nearestName("x".repeat(1_000_000), names), undefined);
});
