import type { Etcd3 } from "etcd3";

/** Milliseconds to wait for one answer after the other. */
type Call = { readonly deadline: number };

/** Grants a lease and gives its id. */
export async function grantLease(client: Etcd3, seconds: number, call: Call): Promise<string> {
  return (await client.leaseClient.leaseGrant({ TTL: seconds }, call)).ID;
}

/**
 * Starts the time of all these leases anew, over one stream.
 * @returns The ids of those that are gone.
 */
export async function keepAlive(
  client: Etcd3,
  leases: readonly string[],
  call: Call,
): Promise<Set<string>> {
  const gone = new Set<string>();
  if (leases.length === 0) return gone;
  const stream = await client.leaseClient.leaseKeepAlive(call);
  try {
    await new Promise<void>((resolve, reject) => {
      let waiting = leases.length;
      stream.on("data", ({ ID, TTL }) => {
        if (Number(TTL) <= 0) gone.add(ID);
        if (--waiting === 0) resolve();
      });
      stream.on("error", reject);
      stream.on("end", () => reject(new Error("the stream ended before every answer")));
      for (const ID of leases) stream.write({ ID });
    });
    stream.end();
  } catch (error) {
    stream.cancel();
    throw error;
  }
  return gone;
}
