import type { PostgresConnection } from "../../../kontrol/storage/postgres_route.ts";

/** How to reach `PORT/DATABASE` of the bench's server, which trusts everybody here. */
export function postgresPlace(place: string): PostgresConnection {
  const [port, database = ""] = place.split("/");
  return { host: "127.0.0.1", port: Number(port), username: "postgres", database };
}
