import { assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { InFlight } from "../../src/rpc/in_flight.ts";

const LIMITS = { ...DEFAULT_LIMITS, inFlightBytes: 1_000_000, totalInFlightBytes: 1_500_000 };

Deno.test("InFlight: accepts bytes up to the limit, and a single message of any size", () => {
  const one = new InFlight(LIMITS, { bytes: 0 });
  assertEquals(one.hasRoom(5_000_000), true);
  one.add(600_000);
  assertEquals([one.hasRoom(400_000), one.hasRoom(400_001)], [true, false]);
  one.remove(600_000);
  assertEquals(one.hasRoom(5_000_000), true);
});

Deno.test("InFlight: sessions share the total, but each may always use 64 KiB", () => {
  const total = { bytes: 0 };
  const [busy, busier, quiet] = [1, 2, 3].map(() => new InFlight(LIMITS, total)) as [
    InFlight,
    InFlight,
    InFlight,
  ];
  busy.add(1_000_000);
  assertEquals([busier.hasRoom(500_000), busier.hasRoom(500_001)], [true, false]);
  busier.add(500_000);
  assertEquals([quiet.hasRoom(65_536), quiet.hasRoom(65_537)], [true, false]);
  quiet.add(60_000);
  assertEquals([quiet.hasRoom(5_536), quiet.hasRoom(5_537)], [true, false]);
  busy.remove(1_000_000);
  assertEquals(quiet.hasRoom(500_000), true);
});
