import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { KontrolProcess, postgresFlags } from "./kontrol_process.ts";
import { type Outage, testOutage } from "./outage.ts";

const { ignore } = await skipUnlessPostgres();

/** The kinds of outages. After a crash, the table of registrations is empty. */
const OUTAGES: Record<string, (server: TestPostgres) => Omit<Outage, "name">> = {
  stops: (server) => ({ stop: () => server.stop(), restart: () => server.restart() }),
  crashes: (server) => ({
    isLossy: true,
    stop: () => server.stop({ asCrash: true }),
    restart: () => server.restart(),
  }),
  hangs: (server) => ({
    stop: () => server.freeze(true),
    restart: () => server.freeze(false),
  }),
};

for (const [what, outage] of Object.entries(OUTAGES)) {
  Deno.test({
    name: `faults: Kontrol recovers when PostgreSQL ${what}`,
    ignore,
    fn: async () => {
      await using server = await TestPostgres.start();
      const storage = [
        ...postgresFlags(server, await server.createDatabase()),
        "-postgres-connecttimeout=2",
      ];
      await using first = await KontrolProcess.start({ storage });
      await using second = await KontrolProcess.start({ storage });
      await testOutage([first, second], { name: `PostgreSQL ${what}`, ...outage(server) });
    },
  });
}
