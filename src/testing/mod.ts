/**
 * Helpers for tests of kites: kites that are connected in memory, sessions with faults, a clock that the
 * test moves, a Kontrol with kites that are registered at it, keys, kite.keys and tokens.
 *
 * @example
 * ```ts
 * import { startTestKontrol } from "@kite/kite/testing";
 *
 * await using kontrol = await startTestKontrol();
 * const math = await kontrol.newKite("math");
 * math.handle("square", ({ args }) => args.one().number() ** 2);
 * await math.register((await math.listen()).url);
 *
 * const exp2 = await kontrol.newKite("exp2");
 * const [remote] = await exp2.getKites({ name: "math" });
 * await remote!.dial();
 * console.assert(await remote!.tell("square", 4) === 16);
 * ```
 *
 * @module
 */
export { FakeClock, type FakeClockOptions } from "./clock.ts";
export { type ConnectedKites, connectKites } from "./connect.ts";
export { type Fault, Faults } from "./faults.ts";
export { FaultySession, type SessionFaults } from "./faulty_session.ts";
export { memorySessions } from "./memory_session.ts";
export {
  createTestKeys,
  type TestKeys,
  type TestKeysOptions,
  type TestTokenOptions,
} from "./keys.ts";
export { startTestKontrol, type TestKontrol, type TestKontrolOptions } from "./kontrol.ts";
