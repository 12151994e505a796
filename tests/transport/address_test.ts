import { assertEquals } from "@std/assert";
import { addressKey } from "../../src/transport/address.ts";

Deno.test("addressKey: returns an IPv4 address, or the /64 network of an IPv6 address", () => {
  const cases = {
    "192.0.2.7:5000": "192.0.2.7",
    "[::ffff:192.0.2.7]:5000": "192.0.2.7",
    "[2001:db8:1:2:3:4:5:6]:5000": "2001:db8:1:2",
    "[2001:db8:1:2::9]:1": "2001:db8:1:2",
    "[2001:db8::9]:1": "2001:db8:0:0",
    "[::1]:80": "0:0:0:0",
    "[fe80::]:80": "fe80:0:0:0",
    "": "",
  };
  for (const [address, key] of Object.entries(cases)) {
    assertEquals(addressKey(address), key, address);
  }
});
